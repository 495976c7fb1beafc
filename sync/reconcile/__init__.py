"""Reconciliation: what two systems say of the same records is compared, and each difference is owned by somebody."""
