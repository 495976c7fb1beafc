"""Reserved."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("meshline", "0001_sign_in")]
    operations = []
