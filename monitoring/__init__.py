"""What is watched once a model is live: profiles of batches, drift, realised performance, the decision."""
