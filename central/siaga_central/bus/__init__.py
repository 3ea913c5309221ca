"""The hub's end of MQTT: the broker as a child, and the one client that speaks to it."""
