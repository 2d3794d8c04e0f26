"""What stands between strangers and the service: who may come, how often, how much, from where; what it fetches."""
