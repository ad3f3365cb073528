"""The HTTP service of one project: who may ask it, what it answers, and what is kept of that."""
