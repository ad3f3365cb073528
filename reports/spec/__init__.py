"""The spec of a project, explained to people and to editors."""
