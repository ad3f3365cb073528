"""One module per kind of problem; `models.problem` says what such a module offers."""
