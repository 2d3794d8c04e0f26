"""Protection of the service: API keys, limits, connections, hosts and origins, decoding and fetching of images."""
