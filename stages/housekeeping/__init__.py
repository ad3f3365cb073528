"""What is out of use is put away: one step a file."""
