"""What each system shows of itself for comparison: rows of key, own id, values and owner, a page at a time."""
