"""Refunds beside the action that makes one: every refund the billing system knows, and those a ticket asks for."""
