"""Each job composes the rooms above; the only place that does."""
