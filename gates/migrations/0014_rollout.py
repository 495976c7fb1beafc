"""How automations climb and fall: segments, versions, sign-offs, reviewed previews, triage lists."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0013_tickets"),
        ("ledger", "0008_seals"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AlterModelOptions(
            name="automation",
            options={
                "ordering": ["name"],
                "permissions": [
                    ("edit_automation", "Can change what is registered of an automation"),
                    ("review_preview", "Can review previews of an automation one by one"),
                ],
            },
        ),
        migrations.AddField(
            model_name="automation",
            name="acting_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="automation",
            name="cooling_seconds",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="automation",
            name="exception_route",
            field=models.CharField(blank=True, db_default="", max_length=120),
        ),
        migrations.AddField(
            model_name="automation",
            name="fell_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="automation",
            name="fell_why",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        migrations.AddField(
            model_name="automation",
            name="may_resolve",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="automation",
            name="quality_checkpoint",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="automation",
            name="reporting_field",
            field=models.CharField(blank=True, db_default="", max_length=120),
        ),
        migrations.AddField(
            model_name="automation",
            name="stage_since",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=ledger.clock.now),
        ),
        migrations.AddField(
            model_name="automation",
            name="written_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="acting_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="cooling_seconds",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="exception_route",
            field=models.CharField(blank=True, db_default="", max_length=120),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="fell_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="fell_why",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="may_resolve",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="quality_checkpoint",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="reporting_field",
            field=models.CharField(blank=True, db_default="", max_length=120),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="stage_since",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=ledger.clock.now),
        ),
        migrations.AddField(
            model_name="historicalautomation",
            name="written_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="automation",
            name="stage_before_pause",
            field=models.CharField(blank=True, db_default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="historicalautomation",
            name="stage_before_pause",
            field=models.CharField(blank=True, db_default="", max_length=16),
        ),
        migrations.CreateModel(
            name="AutomationVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("content", models.JSONField(default=dict)),
                ("why", models.CharField(max_length=300)),
                ("written_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "automation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="gates.automation"
                    ),
                ),
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
                "ordering": ["-version"],
            },
        ),
        migrations.CreateModel(
            name="PreviewReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("preview_hash", models.CharField(max_length=64)),
                (
                    "verdict",
                    models.CharField(choices=[("agree", "Agrees"), ("correct", "To be corrected")], max_length=8),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("given_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="preview_reviews", to="ledger.action"
                    ),
                ),
                (
                    "automation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reviews", to="gates.automation"
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("shadow", "Shadow"),
                            ("suggest", "Soft-Auto"),
                            ("canary", "Canary 1 %"),
                            ("ten", "10 %"),
                            ("half", "50 %"),
                            ("full", "Full"),
                            ("paused", "Paused"),
                        ],
                        default="shadow",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("stage_before_pause", models.CharField(blank=True, db_default="", max_length=16)),
                (
                    "stage_since",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=ledger.clock.now
                    ),
                ),
                ("acting_since", models.DateTimeField(blank=True, null=True)),
                ("fell_at", models.DateTimeField(blank=True, null=True)),
                ("fell_why", models.CharField(blank=True, db_default="", max_length=300)),
                ("key", models.CharField(max_length=80)),
                (
                    "automation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="segments", to="gates.automation"
                    ),
                ),
            ],
            options={
                "ordering": ["automation", "key"],
            },
        ),
        migrations.CreateModel(
            name="SignOff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField()),
                ("reason", models.CharField(max_length=300)),
                ("given_at", models.DateTimeField(default=ledger.clock.now)),
                ("voided_at", models.DateTimeField(null=True)),
                (
                    "automation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sign_offs", to="gates.automation"
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Triage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("week", models.DateField(help_text="The Monday it begins with")),
                ("figures", models.JSONField(default=dict)),
                ("item_id", models.BigIntegerField(null=True)),
                ("made_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "automation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="triages", to="gates.automation"
                    ),
                ),
            ],
            options={
                "ordering": ["-week"],
            },
        ),
        migrations.AddConstraint(
            model_name="automationversion",
            constraint=models.UniqueConstraint(fields=("automation", "version"), name="automation_version_once"),
        ),
        migrations.AddIndex(
            model_name="previewreview",
            index=models.Index(fields=["automation", "-id"], name="preview_review_newest"),
        ),
        migrations.AddConstraint(
            model_name="previewreview",
            constraint=models.UniqueConstraint(fields=("action", "preview_hash"), name="preview_review_once"),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(fields=("automation", "key"), name="segment_once"),
        ),
        migrations.AddConstraint(
            model_name="signoff",
            constraint=models.UniqueConstraint(
                condition=models.Q(("voided_at__isnull", True)), fields=("automation", "version"), name="sign_off_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="triage",
            constraint=models.UniqueConstraint(fields=("automation", "week"), name="triage_once"),
        ),
    ]
