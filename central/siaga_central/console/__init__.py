"""The operators' screens: pages rendered here, live rows pushed to them, nothing fetched from outside."""
