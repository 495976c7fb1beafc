"""The product's password hasher with one round instead of a million."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Same format, no work: for people whom tests make and forget."""

    algorithm = "pbkdf2_sha256_quick"
    iterations = 1
