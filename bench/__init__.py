"""Figures with an anchor measured in the same call, and long random proofs."""
