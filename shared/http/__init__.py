"""What every service does between a request and its answer: the app factory, callers, problems."""
