"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0013_refunds")]
    operations = []
