"""Smoke: a synthetic signed deal and a synthetic failed payment, end to end against whatever is configured.

Every record carries the mark of its run in its name, so that people can tell it from their own.
"""

MARK = "Meshline smoke"
