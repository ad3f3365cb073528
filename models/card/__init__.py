"""The model card: what is known of a version, computed once and told on a page."""
