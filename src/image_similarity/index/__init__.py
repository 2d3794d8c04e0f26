"""The catalogue's features as files that are mapped, not read: derived from the store, and replaced whole."""
