"""How good answers are: realised, promised, estimated, and whether the concept has changed."""
