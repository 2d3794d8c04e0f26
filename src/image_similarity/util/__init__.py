"""Files, memory, processes, samples and statistics: small helpers that know nothing of products."""
