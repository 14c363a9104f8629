"""Steps that wait for each other, as jobs with Batch dependencies."""
