"""A customer who was erased stays so: whatever writes its row or its facts later, what is personal does not come in."""

from django.db import migrations, models

GUARDS = """
create function meshline_stay_erased() returns trigger language plpgsql as $$
begin
    new.name := '';
    new.email := '';
    new.erased_at := old.erased_at;
    return new;
end $$;
create trigger customer_stays_erased before update on ledger_customer
    for each row when (old.erased_at is not null) execute function meshline_stay_erased();

create function meshline_no_facts_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from ledger_customer c where c.id = new.customer_id and c.erased_at is not null) then
        new.blocks := '{}';
    end if;
    return new;
end $$;
create trigger context_stays_erased before insert or update of blocks on ledger_contextrecord
    for each row execute function meshline_no_facts_of_erased();
"""
UNDO = """
drop trigger context_stays_erased on ledger_contextrecord;
drop function meshline_no_facts_of_erased();
drop trigger customer_stays_erased on ledger_customer;
drop function meshline_stay_erased();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_seals")]

    operations = [
        migrations.AddField(
            model_name="customer", name="erased_at", field=models.DateTimeField(editable=False, null=True)
        ),
        migrations.RunSQL(GUARDS, UNDO),
    ]
