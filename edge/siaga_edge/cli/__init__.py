"""`siaga-node`: what a technician runs on a node."""
