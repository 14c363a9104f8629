"""The local backend: a process that is AWS Batch for this machine."""
