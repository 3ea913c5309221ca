"""What both sides of the link stand on: the wire contract and the service frame."""
