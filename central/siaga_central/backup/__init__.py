"""The hub's database shipped to a second place within seconds, encrypted, and brought back from there."""
