"""What runs inside the job: standard library only, nothing of nbbatch imported."""
