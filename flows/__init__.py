"""One Prefect flow a file, named by its verb; `python -m flows` runs them for the make targets."""
