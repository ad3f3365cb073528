"""The history of a project: how the model did, batch by batch, and when it was retrained and why."""
