"""What the handles of jobs have in common, and what each of their answers is made of."""
