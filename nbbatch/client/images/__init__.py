"""Container images with the notebook's environment, and whether an image has what a job needs."""
