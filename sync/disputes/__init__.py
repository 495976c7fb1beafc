"""Disputes of payments: kept as the provider tells of them, and followed to the end."""
