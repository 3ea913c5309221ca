"""The ring buffer of footage: one ffmpeg child per camera, synced segments, clips on command."""
