"""The registry: versions, their stages and their files."""
