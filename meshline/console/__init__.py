"""The operators' console: the admin site, its shell and the pages that show records of all apps together."""
