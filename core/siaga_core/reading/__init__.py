"""What a citizen's text says: kind, priority, place, position. Pure: text in, reading out."""
