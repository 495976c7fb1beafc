"""Settings for the type checker, which needs models and names but no database."""

import os

os.environ.setdefault("MESHLINE_DEV", "1")
os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
os.environ.setdefault("DATABASE_URL", "postgres://lint@127.0.0.1:1/lint")

from meshline.settings import *  # noqa: F403
