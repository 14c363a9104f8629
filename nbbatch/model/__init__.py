"""The nouns of AWS Batch as plain values: no rule, no I/O, no clock."""
