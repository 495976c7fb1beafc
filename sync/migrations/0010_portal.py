"""Portal links, runs over all of them, and imports of links from files."""

import django.db.models.deletion
import django_fsm
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0007_evidence"),
        ("sync", "0009_customer_sync"),
    ]

    operations = [
        migrations.CreateModel(
            name="LinkImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("checking", "Being checked"),
                            ("ready", "Waits for a decision"),
                            ("applied", "Applied"),
                            ("discarded", "Discarded"),
                            ("expired", "Expired"),
                        ],
                        default="checking",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("file_name", models.CharField(blank=True, max_length=120)),
                ("file_sha", models.CharField(max_length=64)),
                ("asked_by", models.CharField(max_length=150)),
                ("asked_at", models.DateTimeField(default=ledger.clock.now)),
                ("checked_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "digest",
                    models.CharField(blank=True, help_text="SHA-256 of the rows as they are shown", max_length=64),
                ),
                ("counts", models.JSONField(default=dict, help_text="Rows by verdict")),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("import_links", "Can import links from files")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("checking", "ready"))),
                        fields=["expires_at"],
                        name="link_import_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PortalRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("backfill", "Links for existing customers"), ("check", "Check of the path")],
                        max_length=12,
                    ),
                ),
                ("asked_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("began_at", models.DateTimeField(default=ledger.clock.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("cursor", models.BigIntegerField(default=0)),
                ("report", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at", None), ("kind", "backfill")),
                        fields=("kind",),
                        name="portal_backfill_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LinkImportRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(help_text="Line of the file it begins in")),
                ("internal_id", models.CharField(blank=True, max_length=80)),
                ("billing_customer", models.CharField(blank=True, max_length=255)),
                ("email", models.CharField(blank=True, max_length=320)),
                ("now_linked", models.CharField(blank=True, help_text="The id the customer has now", max_length=255)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Being checked"),
                            ("link", "Will be linked"),
                            ("same", "Linked already"),
                            ("bad", "Refused"),
                        ],
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="sync.linkimport",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "indexes": [models.Index(fields=["batch", "verdict", "number"], name="link_import_verdict")],
                "constraints": [models.UniqueConstraint(fields=("batch", "number"), name="link_import_row_once")],
            },
        ),
        migrations.CreateModel(
            name="PortalLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("provider", models.CharField(max_length=32)),
                (
                    "account",
                    models.CharField(blank=True, help_text="Empty where only one account is connected", max_length=64),
                ),
                (
                    "billing_customer",
                    models.CharField(help_text="Whose portal it opens, by the provider's id", max_length=255),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("active", "Active"), ("revoked", "Revoked"), ("expired", "Expired")],
                        default="active",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("generation", models.PositiveIntegerField()),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("seed", models.CharField(max_length=64)),
                ("expires_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField(default=ledger.clock.now)),
                ("made_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_by", models.CharField(blank=True, max_length=150)),
                ("end_reason", models.CharField(blank=True, max_length=500)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("visits", models.BigIntegerField(default=0)),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="portal_links",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("manage_portal_links", "Can make, renew and revoke portal links")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "active")), fields=["expires_at"], name="portal_link_ends"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")), fields=("customer",), name="portal_link_once"
                    ),
                    models.UniqueConstraint(fields=("customer", "generation"), name="portal_generation_once"),
                ],
            },
        ),
    ]
