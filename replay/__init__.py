"""Replay: the history lived through once for each retraining policy, and what each would have earned."""
