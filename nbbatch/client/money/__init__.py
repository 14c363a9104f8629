"""What jobs cost, have cost and will cost."""
