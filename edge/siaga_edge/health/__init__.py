"""The node's own state, and what it shows and sounds: lamp and siren."""
