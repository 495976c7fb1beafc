"""Tickets as the support desk's stamps tell them, the kinds they are told apart by, and what was handed over."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("gates", "0012_cancellations"),
        ("ledger", "0008_seals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Handoff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ticket", models.CharField(max_length=32)),
                ("action_id", models.UUIDField()),
                ("first_signal", models.JSONField(null=True)),
                ("trusted", models.JSONField(default=dict)),
                (
                    "override",
                    models.JSONField(
                        default=list, help_text="Who said yes although a rule asked: user numbers and rules"
                    ),
                ),
                ("remains", models.JSONField(default=list)),
                ("correlation_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="handoff", to="gates.reviewitem"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("number", models.CharField(help_text="What the support desk calls it", max_length=32, unique=True)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("new", "New"),
                            ("open", "Open"),
                            ("pending", "Pending"),
                            ("hold", "On hold"),
                            ("solved", "Solved"),
                            ("closed", "Closed"),
                            ("deleted", "Deleted"),
                            ("merged", "Merged"),
                        ],
                        default="new",
                        max_length=50,
                        protected=True,
                    ),
                ),
                (
                    "stamp",
                    models.DateTimeField(help_text="The support desk's own time of its last change that was believed"),
                ),
                (
                    "seen_at",
                    models.DateTimeField(help_text="Of two changes within one second of the stamp the later one"),
                ),
                ("into", models.CharField(blank=True, help_text="The ticket that it was merged into", max_length=32)),
                ("kind", models.SlugField(blank=True, max_length=60)),
                ("kind_version", models.PositiveIntegerField(default=0)),
                (
                    "action_id",
                    models.UUIDField(help_text="The reply that was proposed for it, once for ever", null=True),
                ),
                (
                    "guard_item",
                    models.BigIntegerField(help_text="While this item is open no automation writes on it", null=True),
                ),
                ("recent", models.JSONField(default=list)),
                ("own", models.JSONField(default=list)),
                ("resolved_at", models.DateTimeField(help_text="When a reply of ours solved it", null=True)),
                (
                    "resolved_how",
                    models.CharField(blank=True, help_text="automation, or person where one agreed", max_length=12),
                ),
                ("reopened", models.PositiveSmallIntegerField(default=0)),
                ("reopened_at", models.DateTimeField(null=True)),
                ("correlation_id", models.UUIDField()),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "contract",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="ledger.contract",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="ledger.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("kind", ""), _negated=True), fields=["kind", "-id"], name="ticket_kind"
                    ),
                    models.Index(
                        condition=models.Q(
                            ("guard_item__isnull", False), ("state__in", ("deleted", "merged")), _connector="OR"
                        ),
                        fields=["customer"],
                        name="ticket_trouble",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TicketKind",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=120)),
                ("tags", models.JSONField(default=list)),
                ("forms", models.JSONField(default=list)),
                ("owner_group", models.CharField(max_length=80)),
                ("reply", models.TextField(blank=True)),
                ("solves", models.BooleanField(default=False)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("off", "Off: counted only"),
                            ("suggest", "Suggest: a person gets it with the reply"),
                            ("pilot", "Pilot: the reply is an action"),
                        ],
                        default="off",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "written_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name", "-version"],
                "permissions": [("edit_ticketkind", "Can write new versions of ticket kinds and their replies")],
                "constraints": [models.UniqueConstraint(fields=("name", "version"), name="ticket_kind_version_once")],
            },
        ),
    ]
