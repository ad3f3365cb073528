"""What each retraining policy would have earned and cost."""
