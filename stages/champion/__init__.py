"""What is done about the champion: retraining that was called for, promotion, and the way back."""
