"""The HTTP service: what a shop's web team calls, and the page that a merchandiser looks at."""
