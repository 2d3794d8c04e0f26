"""The vectors kept, for each dataset, model and view: the only thing that is ever expensive to lose."""
