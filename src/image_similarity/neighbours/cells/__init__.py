"""Large catalogues: the space is cut into cells, and a query looks into the nearest ones."""
