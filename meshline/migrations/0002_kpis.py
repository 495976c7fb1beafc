"""Key figures a day: their rows, targets, weekly notes and reports."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("meshline", "0001_sign_in"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KpiReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("week", models.DateField(help_text="The Monday after the week it is about", unique=True)),
                ("lines", models.JSONField(default=list)),
                ("revenue", models.JSONField(default=list, help_text="Lines for those who may see revenue")),
                ("mails", models.PositiveSmallIntegerField(default=0)),
                ("correlation_id", models.UUIDField()),
                ("made_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["-week"],
            },
        ),
        migrations.CreateModel(
            name="KpiDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=40)),
                ("day", models.DateField()),
                ("scope", models.CharField(blank=True, max_length=120)),
                ("value", models.FloatField(null=True)),
                ("numerator", models.BigIntegerField(default=0)),
                ("denominator", models.BigIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=200)),
                ("is_final", models.BooleanField(default=False)),
                ("computed_at", models.DateTimeField(default=ledger.clock.now)),
            ],
            options={
                "ordering": ["-day", "kpi", "scope"],
                "permissions": [("view_revenue", "Can see revenue figures"), ("export_kpis", "Can export key figures")],
                "indexes": [models.Index(fields=["day"], name="kpi_day")],
                "constraints": [models.UniqueConstraint(fields=("kpi", "scope", "day"), name="kpi_once_a_day")],
            },
        ),
        migrations.CreateModel(
            name="KpiTarget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=40, unique=True)),
                ("value", models.FloatField()),
                ("set_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "permissions": [("set_kpi_target", "Can set targets of key figures")],
            },
        ),
        migrations.CreateModel(
            name="KpiNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=40)),
                ("week", models.DateField()),
                ("text", models.CharField(max_length=500)),
                ("written_at", models.DateTimeField(default=ledger.clock.now)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["-week", "kpi"],
                "permissions": [("write_kpi_note", "Can write weekly notes about key figures")],
                "constraints": [models.UniqueConstraint(fields=("kpi", "week"), name="kpi_note_once_a_week")],
            },
        ),
    ]
