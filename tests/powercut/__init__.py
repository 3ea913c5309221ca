"""Power cuts: a block device that remembers every write and flush, and what is left of it at any moment."""
