"""Releases: a version let answer some of the traffic, watched while it does, and taken back if it does worse."""
