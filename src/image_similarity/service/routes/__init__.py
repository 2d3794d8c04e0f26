"""The HTTP routes and their shared steps."""
