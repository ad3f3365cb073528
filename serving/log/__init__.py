"""The log of the service: what was answered and what came of it, off the request path into the lake."""
