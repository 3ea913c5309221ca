"""The control room: everything nodes send becomes incidents, alerts and work."""
