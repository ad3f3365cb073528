"""The Prefect tasks, one file a stage: thin wrappers that say how a stage is retried and recorded."""
