"""Files, memory and processors: small helpers that know nothing of products."""
