"""A batch in a few sketches a feature, which merge."""
