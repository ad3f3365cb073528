"""The service: requests answered by the versions of a release, and put on record."""
