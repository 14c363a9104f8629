"""What of a notebook travels with a job, and how it is found and packed."""
