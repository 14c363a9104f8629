"""Notebooks as jobs: one, or one for each set of parameters."""
