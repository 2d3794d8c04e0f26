"""The dictionary of most similar products on disk: the first version's pickle, and a table beside it."""
