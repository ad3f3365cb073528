"""What every room shares: the project spec, settings, batches, sources, the lake and the ledger."""
