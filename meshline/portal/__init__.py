"""What customers see: the address of their portal link. No session, no cookie, no sign-in."""
