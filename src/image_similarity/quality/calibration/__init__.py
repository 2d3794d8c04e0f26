"""Match probabilities, learned from queries with known answers."""
