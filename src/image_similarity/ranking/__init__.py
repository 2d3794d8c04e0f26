"""Image hits to product hits: grouping, own product out, aggregation."""
