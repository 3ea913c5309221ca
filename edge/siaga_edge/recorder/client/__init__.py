"""Our own client for RTSP over TCP: the second engine of a camera's pump, beside ffmpeg."""
