"""Seals over the ledger: made off the hot path, checked here or anywhere else."""
