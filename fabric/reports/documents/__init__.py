"""What each JSON document holds."""
