"""Tickets where they meet the support desk: reading them, hearing of them, recognising our own writes, handing over."""
