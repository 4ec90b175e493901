"""What `kzagent check` says: is everything here that an agent needs? Nothing is changed, and no order is taken."""
