"""A small city on one machine: real broker, hub and nodes; simulated modem and cameras."""
