"""The hub's truth: append-only events, the projections beside them, and the one writer of both."""
