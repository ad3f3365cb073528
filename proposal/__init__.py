"""A project proposed from a table: what its columns are, and what may be asked of them."""
