"""What a scored batch says of the version that scored it, and what may be done about it."""
