"""What the service keeps beside its answers: the store's threads, photos, marks, bulk imports."""
