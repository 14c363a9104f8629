"""`nbbatch ...` for terminals: one module per group of words, put together in `main.py`."""
