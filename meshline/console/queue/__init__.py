"""The review queue: views and filters in the address, failure groups, saved views, Next item and bulk verbs."""
