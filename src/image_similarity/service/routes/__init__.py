"""The routes, and what they have in common."""
