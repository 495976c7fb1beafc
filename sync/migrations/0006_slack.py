"""Slack: linked people, the message of each review item, notes to who clicked."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0009_shipped_groups"),
        ("ledger", "0007_evidence"),
        ("sync", "0005_poll_mark"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SlackAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("team", models.CharField(max_length=32)),
                ("slack_user", models.CharField(max_length=32)),
                ("linked_by", models.CharField(max_length=120)),
                ("linked_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slack_accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["team", "slack_user"],
                "constraints": [
                    models.UniqueConstraint(fields=("team", "slack_user"), name="slack_identity_once"),
                    models.UniqueConstraint(fields=("team", "user"), name="slack_account_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SlackMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=32)),
                ("ts", models.CharField(blank=True, max_length=32)),
                ("marker", models.UUIDField(default=uuid.uuid4, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("sending", "Sending"),
                            ("posted", "Posted"),
                            ("unknown", "Unknown"),
                            ("failed", "Failed"),
                        ],
                        default="planned",
                        max_length=8,
                    ),
                ),
                ("shown", models.CharField(blank=True, max_length=60)),
                ("dirty", models.BooleanField(default=False)),
                ("closed", models.BooleanField(default=False)),
                (
                    "tries",
                    models.SmallIntegerField(default=0, help_text="Calls begun since the last one that went well"),
                ),
                (
                    "looks",
                    models.SmallIntegerField(default=0, help_text="Searches for a message whose answer was lost"),
                ),
                ("sent_at", models.DateTimeField(help_text="When it was first tried", null=True)),
                ("available_at", models.DateTimeField(default=ledger.clock.now)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.BigIntegerField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="slack_message", to="gates.reviewitem"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed", False)), fields=["available_at", "id"], name="slack_message_open"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SlackNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=32)),
                ("slack_user", models.CharField(max_length=32)),
                ("text", models.CharField(max_length=600)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                        ],
                        default="planned",
                        max_length=8,
                    ),
                ),
                ("tries", models.SmallIntegerField(default=0)),
                ("available_at", models.DateTimeField(default=ledger.clock.now)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.BigIntegerField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "event",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slack_note",
                        to="ledger.event",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("planned", "sending"))),
                        fields=["available_at"],
                        name="slack_note_open",
                    )
                ],
            },
        ),
    ]
