"""The receiver that a good engineer writes in an afternoon: one Django view that verifies and inserts."""
