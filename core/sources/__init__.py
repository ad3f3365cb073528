"""Sources: where a dataset is delivered, what was delivered, and the rows of a batch of it."""
