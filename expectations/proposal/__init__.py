"""A suite proposed from data: what several batches have in common, for a person to read and edit."""
