"""What the hub has to say: alerts for operators' own clients, commands to nodes."""
