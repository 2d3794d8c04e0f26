"""What an answer is made of: ranking, texts, match probabilities, explanations."""
