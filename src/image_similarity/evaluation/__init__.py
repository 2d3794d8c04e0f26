"""How good answers are: protocols ask, ranks say where the right answers stand, metrics and intervals count."""
