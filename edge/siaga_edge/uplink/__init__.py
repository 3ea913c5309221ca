"""The node's one link to the hub: journals go up, acknowledgements and commands come down."""
