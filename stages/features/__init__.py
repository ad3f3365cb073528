"""From accepted rows to features: of batches, of single requests, and the lists that are ranked."""
