"""What tests share; no product logic."""
