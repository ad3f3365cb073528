"""Requests for a retraining, one at a time, and their limits."""
