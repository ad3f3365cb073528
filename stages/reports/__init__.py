"""The facts that pages tell, gathered from the lake, the ledger and the registry alone."""
