"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gates", "0011_incidents")]
    operations = []
