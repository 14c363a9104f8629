"""The rules of AWS Batch as pure functions over one state."""
