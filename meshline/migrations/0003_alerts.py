"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("meshline", "0002_kpis")]
    operations = []
