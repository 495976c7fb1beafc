"""Alerts: owner, runbook, acknowledgement and value of each episode, and what was measured last of each rule."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("gates", "0015_governance"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True)),
                ("rule", models.CharField(max_length=60)),
                ("value", models.FloatField(null=True)),
                ("threshold", models.FloatField(null=True)),
                ("said", models.CharField(blank=True, help_text="The number in a sentence", max_length=300)),
                ("over_since", models.DateTimeField(null=True)),
                ("fine_since", models.DateTimeField(null=True)),
                ("measured_at", models.DateTimeField(null=True)),
                ("tried_at", models.DateTimeField(null=True)),
                ("failed_since", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
                ("ms", models.PositiveIntegerField(default=0, help_text="How long it took")),
                (
                    "samples",
                    models.JSONField(
                        blank=True, default=list, help_text="Earlier numbers: seconds since 1970 and the value"
                    ),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.AlterModelOptions(
            name="alertepisode",
            options={"ordering": ["-id"], "permissions": [("acknowledge_alert", "Can acknowledge alerts")]},
        ),
        migrations.AddField("alertepisode", "rule", models.CharField(blank=True, db_default="", max_length=60)),
        migrations.AddField("alertepisode", "owner_group", models.CharField(blank=True, db_default="", max_length=80)),
        migrations.AddField(
            "alertepisode",
            "runbook",
            models.CharField(blank=True, db_default="", help_text="The slug of its page", max_length=80),
        ),
        migrations.AddField("alertepisode", "value", models.FloatField(help_text="As measured last", null=True)),
        migrations.AddField(
            "alertepisode", "worst", models.FloatField(help_text="The highest value of the episode", null=True)
        ),
        migrations.AddField("alertepisode", "threshold", models.FloatField(null=True)),
        migrations.AddField(
            "alertepisode",
            "last_seen_at",
            models.DateTimeField(help_text="When it was found to be on the last time", null=True),
        ),
        migrations.AddField("alertepisode", "acknowledged_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "alertepisode",
            "acknowledged_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex("alertreading", models.Index(fields=["rule"], name="alert_reading_rule")),
        migrations.AddIndex("alertepisode", models.Index(fields=["rule", "-id"], name="alert_rule")),
    ]
