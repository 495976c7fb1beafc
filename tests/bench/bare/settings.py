"""As little Django as a view needs."""

import os

import environ

_url = environ.Env().db_url_config(os.environ["BARE_DATABASE_URL"])

DEBUG = False
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "tests.bench.bare.wsgi"
MIDDLEWARE: list[str] = []
INSTALLED_APPS: list[str] = []
DATABASES = {"default": {**_url, "HOST": _url["HOST"].replace("%2F", "/").replace("%2f", "/"), "CONN_MAX_AGE": None}}
USE_TZ = True
