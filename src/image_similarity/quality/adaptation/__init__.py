"""A linear map of a model's vectors, learned from products with several images; numpy only."""
