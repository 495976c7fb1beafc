"""Reconciliation of all systems: the unlogged staging table, partial runs, and differences accepted until a day."""

from django.db import migrations, models

# No index and no log: a run fills it, one join reads it, and after a crash it is read anew from the providers.
STAGING = """
create unlogged table sync_reconcileside (
  run_id bigint not null, list text not null, key text collate "C" not null, record text collate "C" not null,
  vals text collate "C" not null default '', about text not null default '', changed timestamptz)
"""
KINDS = [
    ("missing_left", "Missing left"),
    ("missing_right", "Missing right"),
    ("field_differs", "Field differs"),
    ("duplicate", "Duplicate"),
    ("identity", "Identity"),
    ("echo", "Echo"),
    ("unknown_outcome", "Unknown outcome"),
]
OUTCOMES = [
    ("", "Running"),
    ("agree", "Agree"),
    ("differ", "Differ"),
    ("partial", "Partial"),
    ("failed", "Failed"),
]


class Migration(migrations.Migration):
    dependencies = [("sync", "0018_erasure")]
    operations = [
        migrations.RunSQL(STAGING, "drop table sync_reconcileside"),
        migrations.AddField(
            "reconcilerun",
            "gaps",
            models.JSONField(
                default=list, db_default=models.Value([], models.JSONField()),
                help_text="What was not compared, and why: pairs of a list and a sentence",
            ),
        ),
        migrations.AddField("reconcilerun", "covers_from", models.DateTimeField(null=True)),
        migrations.AddField("reconcilerun", "covers_to", models.DateTimeField(null=True)),
        migrations.AlterField(
            "reconcilerun", "outcome", models.CharField(blank=True, choices=OUTCOMES, default="", max_length=8)
        ),
        migrations.AlterField(
            "delta",
            "kind",
            models.CharField(choices=KINDS, help_text="The class of the difference", max_length=20),
        ),
        migrations.AddField(
            "delta",
            "accepted_until",
            models.DateTimeField(help_text="Accepted until then; it opens again by itself", null=True),
        ),
        migrations.AddField(
            "delta",
            "action_id",
            models.UUIDField(help_text="The fix that was asked for last, through the gates", null=True),
        ),
        migrations.AddIndex(
            "delta",
            models.Index(
                condition=models.Q(("accepted_until__isnull", False), ("state", "accepted")),
                fields=["accepted_until"], name="delta_accepted_until",
            ),
        ),
    ]  # fmt: skip
