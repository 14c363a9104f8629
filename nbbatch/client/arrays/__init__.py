"""Array jobs: items in, children, items out."""
