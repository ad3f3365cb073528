"""The pages of the service: what happens now, and how to ask it."""
