"""What came in: the page of all data, and one a dataset."""
