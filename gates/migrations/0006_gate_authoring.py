"""Gates have a state graph and are frozen once they left their draft, in the database too."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

FROZEN = """
create function meshline_keep_gate() returns trigger language plpgsql as $$
begin
    raise exception 'gate % version % is frozen', old.name, old.version
        using errcode = 'check_violation', hint = 'A change is a new version.';
end $$;
create trigger gate_frozen
    before update of name, version, title, applies_to, rows, result, message on gates_gateversion
    for each row when (old.state <> 'draft' and (
        old.name, old.version, old.title, old.applies_to, old.rows, old.result, old.message
    ) is distinct from (
        new.name, new.version, new.title, new.applies_to, new.rows, new.result, new.message
    )) execute function meshline_keep_gate();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gates", "0005_api_token"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="gateversion",
            name="retire_asked_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="gateversion",
            name="retire_why",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        # Only Django is told: the column keeps its default, which the release before this one relies on.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="gateversion",
                    name="state",
                    field=django_fsm.FSMField(
                        choices=[
                            ("draft", "Draft"),
                            ("submitted", "Waits for a second person"),
                            ("live", "In force"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="live",
                        max_length=12,
                        protected=True,
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="gateversion",
            name="state_version",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunSQL(FROZEN, "drop trigger gate_frozen on gates_gateversion; drop function meshline_keep_gate()"),
    ]
