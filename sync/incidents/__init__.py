"""Incidents where they meet other systems: hearing of them, sending what was approved, paging whoever is on call."""
