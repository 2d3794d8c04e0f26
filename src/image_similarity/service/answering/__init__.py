"""The models that answer, held open, kept up to date, and replaced by others while requests go on."""
