"""F132: whichever way a proposal is made or decided, the gates say the same and the ledger keeps the same rows."""

import json
import re
from contextlib import contextmanager
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.urls import reverse

from gates import policy, review
from gates.models import ReviewItem, StopSwitch
from gates.stop import Refused
from ledger import clock, money
from ledger.models import Action, Contract, LedgerRow
from sync import actions, correlate, proposals, providers
from sync.booking import Booking, Cause
from sync.proposals import asking, live
from tests.api.client import Caller
from tests.factories import GateVersionFactory
from tests.people import parity_cases
from tests.people.cast import given, person
from tests.people.parity_cases import KINDS, lay_out

pytestmark = pytest.mark.django_db
SIXTY = len(KINDS)
ROW = (
    "subject_kind", "decision", "prior_state", "post_state", "state_version", "reasons", "inputs", "rule_version",
    "mode", "outcome", "error_code", "amount_minor", "currency",
)  # fmt: skip
ACTION = (
    "state", "state_version", "kind", "mode", "automation", "answers", "preview", "preview_hash", "params", "because",
    "rule_version", "irreversible", "amount_minor", "currency", "business_key", "target",
)  # fmt: skip
ITEM = ("state", "kind", "sentence", "why", "reason", "owner_group", "tier", "resolution", "amount_minor", "currency")
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:\+00:00|Z)?")
REASON = "they asked for it"


@pytest.fixture
def sixty(db, sandbox):
    """The cases, and a gate that has a person look at every note and tag, so that each of them is decided."""
    providers.get.cache_clear()
    policy._held.clear()
    StopSwitch.objects.get_or_create(scope="all")
    GateVersionFactory(
        name="look-at-notes", applies_to=["ticket.note", "ticket.tag"],
        rows=[{"field": "money", "op": "is", "value": False}],
    )  # fmt: skip
    policy._held.clear()
    yield parity_cases.cases(parity_cases.collect(sandbox))
    policy._held.clear()


@contextmanager
def put_back():
    """Whatever happens in here did not."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def plain(value):
    """Without ids of this run and without times."""
    return TIMES.sub("<time>", IDS.sub("<id>", json.dumps(value, default=str, sort_keys=True)))


def seen(case):
    """What a case came to: its action, item and ledger rows."""
    contract = Contract.objects.get(external_id=case.contract)
    action = Action.objects.filter(contract=contract, requested_by__isnull=False).first()
    items = ReviewItem.objects.filter(action=action).order_by("id") if action else ReviewItem.objects.none()
    rows = LedgerRow.objects.filter(customer_id=contract.customer_id).order_by("id")
    return plain(
        [
            {name: getattr(action, name) for name in ACTION} if action else None,
            [{name: getattr(one, name) for name in ITEM} for one in items],
            [{name: getattr(one, name) for name in ROW} for one in rows],
        ]
    )


# --- proposing


def by_service(case, by):
    proposals.propose(case.kind, case.contract, case.params, by=by, reason=REASON)


def by_page(case, by):
    contract = Contract.objects.get(external_id=case.contract)
    typed = {f"params.{name}": text(name, value, case.params) for name, value in case.params.items()}
    sent = {"kind": case.kind, "reason": REASON, "ask": "1", **typed}
    answer = Caller(by).browser.post(reverse("admin:propose", args=[contract.pk]), sent)
    if answer.status_code != 302:
        raise Refused(answer.status_code, "page", answer.context["refusal"].message)


def text(name, value, params):
    """A parameter as a person types it."""
    if name == "amount_minor":
        places = money.exponent(params["currency"])
        return f"{value // 10**places}" + (f".{value % 10**places:0{places}d}" if places else "")
    return "\n".join(value) if isinstance(value, list) else value


def by_api(case, by):
    body = {"kind": case.kind, "contract": case.contract, "params": case.params, "reason": REASON}
    answer = Caller(by).post("actions/", body)
    if answer.status_code != 201:
        raise Refused(answer.status_code, "api", answer.json()["error"]["message"])


def by_command(case, by, tmp_path):
    asked = tmp_path / f"{case.n}.json"
    asked.write_text(
        json.dumps({"kind": case.kind, "contract": case.contract, "params": case.params, "reason": REASON})
    )
    try:
        call_command("propose", str(asked), "--as", by.username, "--json", stdout=StringIO())
    except CommandError as error:
        raise Refused(error.returncode, "command", str(error)) from None


def by_worker(sixty, people):
    """As a drain books what its playbooks propose: all of one claim in one booking."""
    into = Booking(policy.current(), clock.now())
    keys = dict(Contract.objects.values_list("external_id", "pk"))
    for case in sixty:
        chosen, contract_id = actions.get(case.kind), keys[case.contract]
        known = live.read(chosen, contract_id, case.params).onto(correlate.load([contract_id])[contract_id])
        proposal = asking.proposal_of(chosen, known, case.params, REASON)
        event = asking.event_of(known, proposal, uuid4())
        undone = Action.objects.filter(contract=contract_id, state="applied").first()
        cause = Cause(
            event.pk, event.correlation_id, "", requested_by=people[case.asker].pk,
            reverses=undone.pk if undone else None,
        )  # fmt: skip
        into.propose(proposal, known, cause)
    into.write()


def proposed(sixty, way, *more):
    """What each of the sixty came to when it was proposed this way; by people made anew for it."""
    with put_back():
        people = {group: person(group) for group in parity_cases.ASKERS}
        for case in sixty:
            lay_out(case)
        if way is by_worker:
            by_worker(sixty, people)
        else:
            for case in sixty:
                way(case, people[case.asker], *more)
        return {case.n: seen(case) for case in sixty}


def differing(one, other):
    return [n for n in one if one[n] != other[n]]


def test_sixty_proposals_are_judged_the_same_whichever_way_they_come(sixty, tmp_path):
    wanted = proposed(sixty, by_service)
    ways = {
        "page": proposed(sixty, by_page), "API": proposed(sixty, by_api), "worker": proposed(sixty, by_worker),
        "command": proposed(sixty, by_command, tmp_path),
    }  # fmt: skip

    assert len(wanted) == SIXTY == 60
    assert {name: differing(wanted, found) for name, found in ways.items()} == {name: [] for name in ways}
    verdicts = {one for found in wanted.values() for one in re.findall(r'"verdict": "(\w+)"', found)}
    assert verdicts >= {"pass", "review", "review_two", "block"}


REFUSED = {
    "a duplicate": {},
    "a plan it has": {"params": {"plan": "growth"}, "kind": "contract.downgrade"},
    "nothing to undo": {"params": {"undoes": "contract.downgrade"}, "kind": "contract.restore"},
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(sixty, tmp_path, why):
    base = next(case for case in sixty if case.kind == REFUSED[why].get("kind", "contract.suspend"))
    case = parity_cases.Case(**{**vars(base), **REFUSED[why]})
    said = {}
    for way, more in ((by_service, ()), (by_page, ()), (by_api, ()), (by_command, (tmp_path,))):
        with put_back():
            by = person("Support")
            lay_out(case)
            if why == "a duplicate":
                by_service(case, by)
            with pytest.raises(Refused) as no:
                way(case, by, *more)
            said[way.__name__] = (no.value.message, Action.objects.filter(requested_by__isnull=False).count())

    assert len(set(said.values())) == 1, said


# --- deciding


def decide_by_service(items, verb, by):
    for item in items:
        sent = given(item, reason=REASON)
        if verb == "reject":
            del sent["preview_hash"]
        getattr(review, verb)(item.pk, by=by, **sent)
    return {}


def decide_by_page(items, verb, by):
    browser = Caller(by).browser
    for item in items:
        answer = browser.post(reverse("admin:review_verb", args=[item.pk, verb]), given(item, reason=REASON))
        assert answer.status_code == 302, answer.context["refusal"].message
    return {}


def decide_by_api(items, verb, by):
    caller = Caller(by)
    for n, item in enumerate(items):
        sent = given(item, reason=REASON)
        body = {"reason": REASON, "state_version": sent["version"], "preview_hash": sent["preview_hash"]}
        if verb == "reject":
            del body["preview_hash"]
        path = f"actions/{item.action_id}/{verb}/" if n % 2 else f"review-items/{item.pk}/{verb}/"
        assert caller.post(path, body).status_code == 200
    return {}


def decide_by_bulk(items, verb, by):
    """Mark all, look at the confirm page, confirm what it offers; returns why the others are not offered."""
    browser, path = Caller(by).browser, reverse("admin:queue_bulk", args=[verb])
    pick = [f"{one.pk}:{one.action.state_version}:{one.action.preview_hash}" for one in items]
    sheet = browser.post(path, {"pick": pick}).context
    sent = {"pick": sheet["picks"], "seal": sheet["seal"], "confirmed": "1", "reason": REASON}
    assert browser.post(path, sent).status_code == 200
    return {item: why for item, _, why in sheet["sheet"].unfit}


def decided(sixty, way, verb):
    """What each of the sixty came to when a manager decided on it this way, and why some were not decided."""
    with put_back():
        people = {group: person(group) for group in parity_cases.ASKERS}
        for case in sixty:
            lay_out(case)
            by_service(case, people[case.asker])
        items = {one.action.contract.external_id: one for one in open_items()}
        assert len(items) == SIXTY
        left = way(list(items.values()), verb, person("Support Manager"))
        left = {case.n: left[str(items[case.contract])] for case in sixty if str(items[case.contract]) in left}
        return {case.n: seen(case) for case in sixty}, left


def open_items():
    rows = ReviewItem.objects.exclude(state="resolved").select_related("action__contract").order_by("id")
    return list(rows.filter(action__requested_by__isnull=False))


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_sixty_decisions_are_the_same_whichever_way_they_come(sixty, verb):
    wanted, _ = decided(sixty, decide_by_service, verb)
    by_page, _ = decided(sixty, decide_by_page, verb)
    by_api, _ = decided(sixty, decide_by_api, verb)
    in_bulk, left = decided(sixty, decide_by_bulk, verb)

    assert (differing(wanted, by_page), differing(wanted, by_api)) == ([], [])
    assert differing(wanted, in_bulk) == sorted(left)
    if verb == "reject":
        assert left == {}
        return
    above = {case.n for case in sixty if '"review_two"' in wanted[case.n]}
    special = {case.n for case in sixty if case.is_for_specialists}
    assert above <= set(left) <= above | special
    assert len(wanted) - len(left) >= 30
