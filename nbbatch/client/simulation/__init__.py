"""What-if: workloads through the scheduler under a virtual clock."""
