"""What somebody should know: on record, then sent."""
