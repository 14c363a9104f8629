"""The launcher: a form that chooses what a job gets and writes the line that says it."""
