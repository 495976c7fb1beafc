"""Erasures, and differences that do not show an erased customer's values again."""

import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models

import ledger.clock

GUARD = """
create function meshline_no_values_of_erased() returns trigger language plpgsql as $$
begin
    if new.customer_id is not null and (new.left_value <> '' or new.right_value <> '') and exists (
        select from ledger_customer c where c.id = new.customer_id and c.erased_at is not null) then
        new.left_value := '';
        new.right_value := '';
    end if;
    return new;
end $$;
create trigger delta_stays_erased before insert or update on sync_delta
    for each row execute function meshline_no_values_of_erased();
"""
UNDO = "drop trigger delta_stays_erased on sync_delta; drop function meshline_no_values_of_erased();"


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0016_claims"),
        ("ledger", "0009_erasure"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("asked", "Asked"), ("done", "Done")], default="asked", max_length=50, protected=True
                    ),
                ),
                ("asked_at", models.DateTimeField(default=ledger.clock.now)),
                ("due_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("words", models.JSONField(default=list)),
                ("events", models.JSONField(default=list)),
                ("counts", models.JSONField(default=dict)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="erasure", to="ledger.customer"
                    ),
                ),
            ],
            options={"ordering": ["-id"], "permissions": [("erase_person", "Can have a person erased")]},
        ),
        migrations.RunSQL(GUARD, UNDO),
    ]
