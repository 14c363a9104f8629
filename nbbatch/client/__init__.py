"""What a notebook, a terminal or a program uses to run jobs on a backend."""
