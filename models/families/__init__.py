"""One module per family of models; `models.family` says what such a module offers."""
