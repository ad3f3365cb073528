"""Features, point in time: every value is what was known when the decision was taken."""
