"""Customers of the ERP kept at the billing system: profiles say which and what, runs walk them, links remember."""
