"""The outreach queue of an update: made, mended and read as a set; one message for each customer and update.

Everything that writes runs in the caller's transaction, which holds the incident and the update.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from django.db.models import Count

from gates.incidents import rows, scope, zones
from gates.models import Incident, IncidentUpdate, Outreach
from ledger import book, clock, sets

LEFT = "no longer in the scope"
COUNTRY = """(select b.value -> 'source' ->> 'organization.country' from jsonb_each(r.blocks) b
              where b.key like 'deal:%%' and b.value -> 'source' ? 'organization.country' order by b.key limit 1)"""
INSERT = """
insert into gates_outreach (incident_id, update_id, number, customer_id, state, state_version, place, tier, mrr_minor,
                            currency, zone, reason, created_at)
select %(incident)b::bigint, %(update)b::bigint, %(number)b::smallint, c.id, 'planned', 1,
       row_number() over (order by {order}), c.tier, c.mrr_minor, c.currency, '', '', %(now)b::timestamptz
  from ledger_customer c where {condition}
on conflict (incident_id, customer_id, number) do nothing
returning id, customer_id"""
PLACES = """
update gates_outreach o set place = v.place, tier = v.tier, mrr_minor = v.mrr_minor, currency = v.currency
  from (select o.id, c.tier, c.mrr_minor, c.currency, row_number() over (order by {order}) as place
          from gates_outreach o join ledger_customer c on c.id = o.customer_id where o.update_id = %(update)b::bigint) v
 where o.id = v.id and o.update_id = %(update)b::bigint
   and (o.place, o.tier, o.mrr_minor, o.currency) is distinct from (v.place, v.tier, v.mrr_minor, v.currency)"""
ZONES = """
update gates_outreach o set zone = v.zone
  from ledger_contextrecord r, unnest(%(words)b::text[], %(zones)b::text[]) as v(words, zone)
 where o.update_id = %(update)b::bigint and r.customer_id = o.customer_id and v.words = {country}
   and o.zone <> v.zone"""


def plan(update: IncidentUpdate, actor: str) -> int:
    """Bring the queue of a planned update in line with the scope of its incident; returns how many are planned now.

    New customers come, those who left the scope are skipped, those who are back are planned again. What a person
    skipped stays so. A handful of statements for any number of customers.
    """
    condition, params = scope.where(update.incident.scope)
    about = {"update": update.pk, **params, **scope.DECIMALS}
    made = sets.run(
        INSERT.format(order=scope.ORDER, condition=condition),
        {**about, "incident": update.incident_id, "number": update.number, "now": clock.now()},
    )
    thread = update.incident.correlation_id
    new = [rows.Stepped(key, of, "planned", 1, None, update.incident_id, update.number, thread) for key, of in made]
    book.write_rows([rows.of_message(one, "plan", "planned", actor) for one in new])
    inside = f"exists (select from ledger_customer c where c.id = o.customer_id and {condition})"
    here = "o.update_id = %(update)b::bigint"
    asked = {"update": update.pk, "left": LEFT, **params}
    rows.step("skip", ("planned",), "skipped", only=f"{here} and not {inside}", params=asked, actor=actor, why=LEFT)
    back = f"{here} and o.reason = %(left)b and {inside}"
    rows.step("include", ("skipped",), "planned", only=back, params=asked, actor=actor)
    sets.run(PLACES.format(order=scope.ORDER), {"update": update.pk, **scope.DECIMALS})
    _zones(update)
    return Outreach.objects.filter(update=update, state=Outreach.State.PLANNED).count()


def _zones(update: IncidentUpdate) -> None:
    """The zone of each customer whose country is known and has one."""
    asked = {"update": update.pk}
    found = sets.run(
        f"""select distinct {COUNTRY} from gates_outreach o join ledger_contextrecord r on r.customer_id = o.customer_id
             where o.update_id = %(update)b::bigint""",
        asked,
    )
    known = {words: zones.of_country(words) for (words,) in found if words}
    known = {words: zone for words, zone in known.items() if zone}
    if known:
        sets.run(ZONES.format(country=COUNTRY), {**asked, "words": list(known), "zones": list(known.values())})


def digest(update: IncidentUpdate) -> str:
    """What an approval is bound to: who is written to, and every word that is not the customer's own name."""
    one = update.incident
    waiting = Outreach.objects.filter(update=update, state=Outreach.State.IN_REVIEW, action_id__isnull=True)
    said: list[Any] = [
        one.pk, update.number, update.template_id, update.channel, update.text, one.title, one.severity,
        one.started_at.isoformat(), list(waiting.order_by("pk").values_list("pk", flat=True)),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def counts(one: Incident) -> dict[str, int]:
    """Messages of an incident by state."""
    found = Outreach.objects.filter(incident=one).order_by().values_list("state").annotate(count=Count("pk"))
    return {str(state): count for state, count in found}


def counts_of_updates(updates: Sequence[IncidentUpdate]) -> dict[int, dict[str, int]]:
    """Messages of each of these updates by state: one statement."""
    made: dict[int, dict[str, int]] = {one.pk: {} for one in updates}
    found = Outreach.objects.filter(update__in=list(made)).order_by().values_list("update", "state")
    for key, state, count in found.annotate(count=Count("pk")):
        made[key][str(state)] = count
    return made
