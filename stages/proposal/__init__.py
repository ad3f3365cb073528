"""A project proposed from a table, and rehearsed before it is written."""
