"""What the service stores: query photos, feedback, bulk imports; the threads of the store."""
