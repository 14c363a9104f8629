"""API requests against the state: check, resolve, and name the event that follows."""
