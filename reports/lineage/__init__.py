"""Which data, code and settings made which version."""
