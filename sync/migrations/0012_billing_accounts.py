"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0011_error_desk")]
    operations = []
