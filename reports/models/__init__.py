"""The versions of a model: how they compare, and what the gate said."""
