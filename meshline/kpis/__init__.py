"""Key figures: one row a day of each, computed by one statement whose rows can be opened."""
