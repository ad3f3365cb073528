"""From features to a registered version: fits, their files, records and cards, and the same made again."""
