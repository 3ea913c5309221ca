"""Everything nodes send, committed once, acknowledged after the commit."""
