"""Retrieval: which few of a catalogue's items are worth ranking for one who asks."""
