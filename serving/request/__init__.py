"""Requests: what they may hold, how it is read, and what is told when they are not answered."""
