"""What an installation was given of each group."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gates", "0008_stop_release")]

    operations = [
        migrations.CreateModel(
            name="ShippedGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True)),
                ("permissions", models.JSONField(default=list, help_text='As "gates.claim_item"')),
            ],
            options={"default_permissions": ()},
        ),
    ]
