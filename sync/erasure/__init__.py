"""Forgetting: persons who ask for it, and what was kept as long as it had to be."""
