"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gates", "0012_cancellations")]
    operations = []
