"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0018_erasure")]
    operations = []
