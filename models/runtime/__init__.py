"""Released graphs at work."""
