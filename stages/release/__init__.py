"""Releases: a version answers some of the traffic, is watched while it does, and goes back if it is worse."""
