"""The product's own settings, with what the tests choose before they are read."""

import os

os.environ.setdefault("MESHLINE_DEV", "1")
os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
os.environ.setdefault("MESHLINE_LOG_LEVEL", "WARNING")

from meshline.settings import *  # noqa: F403
from meshline.settings import DATABASES

# Most tests make people and few sign in; the product's own hasher takes a third of a second for each.
PASSWORD_HASHERS = ["tests.hasher.QuickHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]

# Named by the process, so that two runs on one machine do not drop each other's.
DATABASES["default"]["TEST"] = {"NAME": f"test_meshline_{os.getpid()}"}
