"""From a match's score to the probability that it is the very product; numpy only."""
