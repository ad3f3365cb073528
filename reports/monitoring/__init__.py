"""What is watched: how far inputs and predictions moved, and what was expected without labels."""
