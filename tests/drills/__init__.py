"""Drills that are too long for the test suite; each is a command."""
