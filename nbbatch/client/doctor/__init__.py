"""What is in order and what is not, on this machine and in an AWS account."""
