"""From a match's score to how surely it is the very product: learned on questions whose answers are known."""
