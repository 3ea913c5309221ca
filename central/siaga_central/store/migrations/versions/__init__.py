"""The versions, oldest first; a released one never changes."""
