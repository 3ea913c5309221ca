"""The hub's HTTPS door for nodes: claims, clips, pictures."""
