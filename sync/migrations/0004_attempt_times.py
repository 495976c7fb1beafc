"""Attempts by time, for what was in flight when somebody pressed the stop."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0003_lean_indexes")]

    operations = [migrations.AddIndex("attempt", BrinIndex(fields=["began_at"], name="attempt_times"))]
