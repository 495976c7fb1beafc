"""Checklists of onboarding: versioned templates, lists and their steps."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0009_shipped_groups"),
        ("ledger", "0007_evidence"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChecklistTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=120)),
                ("steps", models.JSONField(default=list)),
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
                "permissions": [("edit_checklist_template", "Can write new versions of checklist templates")],
            },
        ),
        migrations.CreateModel(
            name="Checklist",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("deal", models.CharField(max_length=64)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("running", "Running"), ("completed", "Completed"), ("cancelled", "Cancelled")],
                        default="running",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("package", models.CharField(blank=True, max_length=64)),
                ("csm", models.CharField(blank=True, max_length=64)),
                ("billing_owner", models.CharField(blank=True, max_length=64)),
                (
                    "first_value_on",
                    models.DateField(help_text="When it shall first be worth its money, by the deal", null=True),
                ),
                ("signed_at", models.DateTimeField()),
                ("customer_at", models.DateTimeField(help_text="When the ERP confirmed the customer", null=True)),
                ("invoiced_at", models.DateTimeField(help_text="When the ERP confirmed the first invoice", null=True)),
                ("value_at", models.DateTimeField(help_text="When the step of the first value was done", null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("stage", models.CharField(blank=True, help_text="Key of the first step that waits", max_length=40)),
                ("event_id", models.BigIntegerField(help_text="What signed it", null=True)),
                ("correlation_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "contract",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="checklists", to="ledger.contract"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="checklists", to="ledger.customer"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checklists",
                        to="gates.checklisttemplate",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("work_checklist", "Can tick, skip, nudge, escalate, reassign and re-date steps of checklists")
                ],
            },
        ),
        migrations.CreateModel(
            name="ChecklistStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                ("position", models.PositiveSmallIntegerField()),
                ("key", models.CharField(max_length=40)),
                ("title", models.CharField(max_length=120)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("skipped", "Skipped")],
                        default="waiting",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("owner_group", models.CharField(max_length=80)),
                (
                    "evidence",
                    models.CharField(
                        blank=True, help_text="What ticks it by itself; empty: a person does", max_length=40
                    ),
                ),
                ("blocking", models.BooleanField(default=False)),
                ("due_at", models.DateTimeField()),
                ("escalate_at", models.DateTimeField(help_text="When nobody waits any longer")),
                ("late", models.BooleanField(default=False)),
                ("nudges", models.PositiveSmallIntegerField(default=0)),
                ("nudged_at", models.DateTimeField(null=True)),
                ("escalated_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, help_text="Why it was skipped or re-dated", max_length=500)),
                ("done_at", models.DateTimeField(null=True)),
                ("evidence_kind", models.CharField(blank=True, max_length=20)),
                ("evidence_id", models.CharField(blank=True, max_length=64)),
                (
                    "checklist",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="gates.checklist"
                    ),
                ),
                (
                    "escalation_item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="escalated_steps",
                        to="gates.reviewitem",
                    ),
                ),
                (
                    "nudge_item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="nudged_steps",
                        to="gates.reviewitem",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ticked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["checklist", "position"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("late", False), ("state", "waiting")), fields=["due_at"], name="step_due"
                    ),
                    models.Index(
                        condition=models.Q(("escalated_at__isnull", True), ("state", "waiting")),
                        fields=["escalate_at"],
                        name="step_escalate",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("checklist", "key"), name="step_once")],
            },
        ),
        migrations.AddConstraint(
            model_name="checklisttemplate",
            constraint=models.UniqueConstraint(fields=("name", "version"), name="template_version_once"),
        ),
        migrations.AddIndex(
            model_name="checklist",
            index=models.Index(condition=models.Q(("state", "running")), fields=["-id"], name="checklist_running"),
        ),
        migrations.AddIndex(
            model_name="checklist",
            index=models.Index(fields=["signed_at"], name="checklist_signed"),
        ),
        migrations.AddConstraint(
            model_name="checklist",
            constraint=models.UniqueConstraint(fields=("customer", "deal"), name="checklist_once"),
        ),
        migrations.AddConstraint(
            model_name="checklist",
            constraint=models.UniqueConstraint(fields=("contract",), name="checklist_contract_once"),
        ),
    ]
