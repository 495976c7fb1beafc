"""Onboarding: from a signed deal in the CRM to its customer and first invoice in the ERP."""
