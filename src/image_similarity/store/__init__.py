"""What is kept in features.db: vectors, products and images, and each product's recommendations."""
