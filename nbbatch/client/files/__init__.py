"""Scripts, programs, and the files that go along with a job and come back."""
