"""The story of a project as a W&B report: told in plain facts, kept on the disk, published when asked."""
