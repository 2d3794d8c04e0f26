"""Learning from the catalogue itself: a linear map of a model's vectors in which images of one product lie closer."""
