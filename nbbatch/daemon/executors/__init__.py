"""Executors run one attempt and report its exit; none knows another."""
