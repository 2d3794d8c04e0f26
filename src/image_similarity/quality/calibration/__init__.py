"""Match probabilities, learned from questions with known answers."""
