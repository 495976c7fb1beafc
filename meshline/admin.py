"""What the admin must not offer: the queue library's pages, which can plant code to run."""

from django.contrib import admin
from django_q import admin as queue_admin
from django_q.models import Failure, OrmQ, Schedule, Success

# Imported for its registrations, so that they can be taken back whichever of us the admin loads first.
QUEUE_PAGES = queue_admin.__name__

for model in (Success, Failure, Schedule, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
