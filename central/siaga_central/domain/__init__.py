"""What the hub decides: pure functions and transition tables over values and `now`."""
