"""Approximate search in large catalogues: vectors are clustered into cells, and a query searches the nearest ones."""
