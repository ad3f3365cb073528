"""The online store: what a single request needs to know of the past, by entity, read in one trip."""
