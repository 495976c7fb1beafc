"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0019_reconcile_all")]
    operations = []
