"""Billing's balance in the ERP's books: heard of by events, found by a sweep, planned once, recorded by actions."""
