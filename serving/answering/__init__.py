"""Answers: the release at work, the features of a row, the version that answers it, and what is recorded."""
