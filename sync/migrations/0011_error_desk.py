"""The error desk: retries, exchanges and archive of errors; which billing page the ERP was seen with."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0010_portal"),
    ]

    operations = [
        migrations.AddField(
            model_name="syncerror",
            name="archived_at",
            field=models.DateTimeField(help_text="Kept as evidence, no longer listed", null=True),
        ),
        migrations.AddField(
            model_name="syncerror",
            name="exchange",
            field=models.JSONField(help_text="Which exchange went wrong, where no action shows it", null=True),
        ),
        migrations.AddField(
            model_name="syncerror",
            name="retried_in",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sync.syncrun"
            ),
        ),
        migrations.AddField(
            model_name="synclink",
            name="page",
            field=models.BigIntegerField(help_text="The portal link whose address the ERP was seen with", null=True),
        ),
        migrations.AddField(
            model_name="synclink",
            name="page_tried",
            field=models.BigIntegerField(help_text="The one that a run was started for by itself", null=True),
        ),
        migrations.AddIndex(
            model_name="syncerror",
            index=models.Index(
                condition=models.Q(("archived_at", None)), fields=["state", "-id"], name="sync_error_state"
            ),
        ),
        migrations.AddIndex(
            model_name="syncerror",
            index=models.Index(fields=["internal_id", "-id"], name="sync_error_of"),
        ),
    ]
