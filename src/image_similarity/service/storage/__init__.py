"""What the service keeps beside its answers: photos, feedback, bulk imports, the store's threads."""
