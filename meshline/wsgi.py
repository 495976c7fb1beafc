"""The WSGI callable that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from sync import lifeline

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")

# Loaded in each web process; one whose server was killed would go on answering on the port of its successor.
if os.environ.get(lifeline.TIED):
    lifeline.die_with_parent(os.getppid())

application = get_wsgi_application()
