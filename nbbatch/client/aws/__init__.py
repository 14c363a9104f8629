"""A backend in an AWS account: its clients, its store in S3, its definitions, what it can tell."""
