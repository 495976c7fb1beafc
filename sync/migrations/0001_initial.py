import django.db.models.deletion
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("ledger", "0004_views"),
    ]

    operations = [
        migrations.CreateModel(
            name="DrainSlot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slot", models.SmallIntegerField(unique=True)),
                ("host", models.CharField(blank=True, max_length=120)),
                ("token", models.BigIntegerField(null=True)),
                ("seen_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["slot"],
            },
        ),
        migrations.CreateModel(
            name="ProviderState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32, unique=True)),
                (
                    "breaker",
                    models.CharField(choices=[("closed", "Closed"), ("open", "Open")], default="closed", max_length=8),
                ),
                ("opened_at", models.DateTimeField(null=True)),
                ("probe_at", models.DateTimeField(help_text="When one request may try again", null=True)),
                (
                    "not_before",
                    models.DateTimeField(help_text="Retry-After, for every action of this provider", null=True),
                ),
                ("last_success_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=300)),
                ("last_error_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["provider"],
            },
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.CharField(max_length=60)),
                ("planned_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(default=ledger.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["-planned_at", "job"],
                "constraints": [models.UniqueConstraint(fields=("job", "planned_at"), name="job_run_once")],
            },
        ),
        migrations.CreateModel(
            name="Refusal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=32)),
                ("reason", models.CharField(max_length=120)),
                ("status", models.SmallIntegerField()),
                ("address", models.GenericIPAddressField(null=True)),
                ("headers", models.JSONField(default=dict)),
                ("body_sha", models.CharField(max_length=64)),
                ("body_head", models.BinaryField()),
                ("body_bytes", models.IntegerField()),
                ("refused_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["source", "-id"], name="refusal_source")],
            },
        ),
        migrations.CreateModel(
            name="RefusalCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=32)),
                ("hour", models.DateTimeField()),
                ("refused", models.BigIntegerField(default=0)),
                ("kept", models.IntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("source", "hour"), name="refusals_an_hour_once")],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=32)),
                ("method", models.CharField(max_length=8)),
                ("path", models.CharField(max_length=1000)),
                ("is_write", models.BooleanField(default=False)),
                ("began_at", models.DateTimeField()),
                ("ms", models.IntegerField()),
                ("status", models.SmallIntegerField(null=True)),
                ("error", models.CharField(blank=True, max_length=60)),
                ("request_id", models.CharField(blank=True, max_length=120)),
                ("request_body", models.TextField(blank=True)),
                ("response_body", models.TextField(blank=True)),
                (
                    "action",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exchanges",
                        to="ledger.action",
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exchanges",
                        to="ledger.event",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["action", "id"], name="attempt_action"),
                    models.Index(fields=["provider", "-id"], name="attempt_provider"),
                ],
            },
        ),
    ]
