"""One record of each kind for the matrix, and what an honest form or program sends along."""

import json
import re
from datetime import timedelta

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from gates import presets, review, runbooks
from gates.incidents import desk, rounds, scope
from gates.models import Absence, AccountHolder, CancellationBlock, OwnerSensitive, ReviewItem, Runbook, SavedView
from ledger import clock
from ledger.models import Action, Contract
from sync.models import ClaimCheck, LinkImport, MappingVersion, SyncError, SyncOutcome, SyncProfileVersion, SyncRun
from sync.portal import links as portal_links
from sync.slack.models import SlackAccount, SlackMessage
from tests import factories as f
from tests.people import governance, matrix
from tests.people.cast import answers, given, person
from tests.people.onboardings import begun

APPS = ("ledger", "gates", "sync", "auth", "django_q")
# Written by looking or by being refused: sessions, a token's calls, who has a page open, deliveries nobody signed.
ASIDE = {"django_session", "gates_apitoken", "gates_presence", "sync_refusal", "sync_refusalcount"}
HOLE = re.compile(r"\{([^}]+)\}")
UNKNOWN = {"thread": "0192f000-0000-7000-8000-000000000000", "external_id": "mesh-cus-nobody", "runbook": "nowhere"}


class World:
    """What the addresses of the table name. `user` of each `who` is signed in once."""

    def __init__(self):
        self.asker = f.UserFactory()
        self.contract = linked("501")
        self.event = f.EventFactory(state="ignored", customer=self.contract.customer)
        self.body = f.EventBodyFactory(event_id=self.event.pk)
        self.items = {name: self.item(name) for name in ("in_review", "failed", "unknown")}
        self.items["two"] = self.item("in_review", "review_two")
        self.items["applied"] = self.item("applied", contract=self.suspended("502"))
        self.items["snoozed"] = self.item("in_review")
        review.snooze(
            self.items["snoozed"].pk, by=person("Support"), until=clock.now() + timedelta(hours=1), why="time",
            reason="later",
        )  # fmt: skip
        self.items["approved"] = self.item("in_review")
        self.approver = person("Support Manager")
        review.approve(self.items["approved"].pk, by=self.approver, **given(self.items["approved"]))
        self.row = f.LedgerRowFactory(correlation_id=self.event.correlation_id)
        self.view = SavedView.objects.create(name="mine", owner=self.asker, query="")
        self.draft = f.GateVersionFactory(name="drafted", state="draft", written_by=self.asker)
        self.live_mapping = MappingVersion.objects.get(state="active")
        self.mapping = MappingVersion.objects.create(
            number=self.live_mapping.number + 1, fields=self.live_mapping.fields, author=self.asker, reason="drafted"
        )
        self.absence = Absence.objects.create(
            user=self.asker, starts_at=clock.now(), ends_at=clock.now() + timedelta(days=1)
        )
        self.holder = AccountHolder.objects.create(role="Enterprise AM", person=self.asker, tiers=["growth"])
        self.block = CancellationBlock.objects.create(what="tier", value="growth", why="agreed")
        f.ExternalIdFactory(customer=self.contract.customer)
        self.portal_link = portal_links.ensure(self.contract.customer_id, actor="system:test", reason="test").link
        self.sync_run = SyncRun.objects.create(version=SyncProfileVersion.objects.get(), mode="mass")
        SyncOutcome.objects.create(
            run=self.sync_run, internal_id=1, customer=self.contract.customer, outcome="review", code="several_matches"
        )
        self.sync_error = SyncError.objects.create(
            trace_key="customer_sync:x:customer:1", step="lookup", error_class="value", code="bad_email",
            sentence="x", run=self.sync_run, internal_id=1,
        )  # fmt: skip
        self.link_import = LinkImport.objects.create(
            file_sha="x", asked_by="system:test", expires_at=clock.now() + timedelta(days=1)
        )
        self.colleague = person("Support")
        self.checklist = begun()
        self.incident = troubled()
        self.claim_check = ClaimCheck.objects.create(source="person", digest="0" * 64, length=1, verdict="none")
        governance.make(self.asker)
        self.dispute = f.DisputeFactory()
        self.users, self.before = {who: account(who) for who in matrix.WHO}, {}
        self.records = {
            "gates/reviewitem": self.items["in_review"], "gates/automation": f.AutomationFactory(),
            "gates/gateversion": f.GateVersionFactory(), "ledger/customer": self.contract.customer,
            "ledger/contract": self.contract, "ledger/event": self.event,
            "ledger/action": self.items["in_review"].action, "ledger/ledgerrow": self.row,
            "sync/attempt": f.AttemptFactory(), "sync/providerstate": f.ProviderStateFactory(),
            "sync/refusal": f.RefusalFactory(), "sync/jobrun": f.JobRunFactory(),
            "sync/erasure": f.ErasureFactory(), "sync/contextcheck": f.ContextCheckFactory(),
            "sync/delta": f.DeltaFactory(), "sync/reconcilerun": f.ReconcileRunFactory(),
            "sync/slackaccount": SlackAccount.objects.create(team="T0TEAM", slack_user="U0ASKER", user=self.asker),
            "sync/slackmessage": SlackMessage.objects.create(item=self.items["failed"], channel="C0BILLING"),
        }  # fmt: skip

    def item(self, state, verdict="review", **more):
        """An item about an action on the contract, asked for by somebody who is nobody of the table."""
        contract = more.pop("contract", None) or self.contract
        action = f.ActionFactory(
            state=state, kind="contract.suspend", contract=contract, customer=contract.customer,
            answers=answers(verdict), requested_by=self.asker, **more,
        )  # fmt: skip
        return f.ReviewItemFactory(action=action)

    def suspended(self, number):
        """A contract with something to undo."""
        made = linked(number)
        Contract.objects.filter(pk=made.pk).update(state="suspended")
        return Contract.objects.get(pk=made.pk)

    def named(self, name, *, known=True):
        """The value of `{name}` in an address; of a record that does not exist where `known` is false."""
        if name in self.records:
            return str(self.records[name].pk) if known else str(odd_key(type(self.records[name])))
        item, _, rest = name.partition(".")
        if item in self.items:
            found = self.items[item].action_id if rest else self.items[item].pk
        else:
            found = {
                "action": self.items["applied"].action_id, "contract": self.contract.pk,
                "customer": self.contract.customer_id, "external_id": self.contract.customer.external_id,
                "event": self.event.pk, "body": self.body.pk, "view": self.view.pk, "absence": self.absence.pk,
                "mapping": self.mapping.number, "live_mapping": self.live_mapping.number,
                "gate": self.draft.pk, "live_gate": self.records["gates/gateversion"].pk,
                "user": self.asker.pk,
                "group": Group.objects.order_by("pk").values_list("pk", flat=True).first(),
                "runbook": lambda: Runbook.objects.order_by("pk").first().slug,
                "runbook_id": lambda: runbooks.for_item(self.items["failed"]).pk,
                "rule": lambda: apps.get_model("gates.OwnershipRule").objects.order_by("position").first().pk,
                "thread": self.event.correlation_id, "checklist": self.checklist.pk, "portal_link": self.portal_link.pk,
                "holder": self.holder.pk, "block": self.block.pk,
                "sensitive": lambda: OwnerSensitive.objects.order_by("pk").first().pk,
                **governance.keys(), "incident": self.incident.pk, "claim_check": self.claim_check.pk,
                "dispute": self.dispute.pk,
                "sync_run": self.sync_run.pk, "sync_error": self.sync_error.pk,
                "import": self.link_import.pk,
            }[name]  # fmt: skip
            found = found() if callable(found) else found
        if known:
            return str(found)
        return UNKNOWN.get(name) or (UNKNOWN["thread"] if "-" in str(found) else "987654321")

    def address(self, line, *, known=True):
        """The whole address of a line."""
        return "/" + HOLE.sub(lambda hole: self.named(hole[1], known=known), line.address)

    def client(self, who):
        """A browser in which this person is signed in; whoever is switched off is so since then."""
        client = Client(raise_request_exception=False)
        user = self.users[who]
        client.force_login(user)
        if who == "inactive":
            type(user).objects.filter(pk=user.pk).update(is_active=False)
        self.before = state()
        return client

    def send(self, client, line, *, known=True):
        """The answer to one operation."""
        address = self.address(line, known=known)
        if line.method == "GET":
            return client.get(address)
        if line.address.startswith("api/"):
            body = json.dumps(self.program(line)).encode()
            return client.generic(line.method, address, body, "application/json")
        if line.method == "POST":
            return client.post(address, self.page(line))
        return client.generic(line.method, address, json.dumps(self.page(line)), "application/json")

    def about(self, line):
        """The item that an address is about, if it is about one."""
        hole = HOLE.search(line.address)
        return self.items.get(hole[1].partition(".")[0]) if hole else None

    def seen(self, line):
        """Version and hash of the action as somebody looking at it sees them now."""
        item = self.about(line)
        action = Action.objects.get(pk=item.action_id if item else self.items["applied"].action_id)
        return action.state_version, action.preview_hash

    def page(self, line):
        """Every field a form of the pages sends: what a verb does not read does not matter."""
        version, preview = self.seen(line)
        pick = ReviewItem.objects.select_related("action").get(pk=self.items["in_review"].pk)
        return {
            "reason": "because", "version": version, "preview_hash": preview, "text": "Looked at it.",
            "cause": "wrong_data", "corrective_action": "mended", "prevention": "checked at intake",
            "to": f"user:{self.colleague.pk}", "group": "Support", "until": "tomorrow", "why": "time",
            "scope": "all", "word": "RESUME", "kind": "contract.suspend", "ask": "1", "name": "a view", "view": "",
            "pick": f"{pick.pk}:{pick.action.state_version}:{pick.action.preview_hash}", "title": "A runbook",
            "when": "Always", "owner_group": "Support", "zone": "UTC", "start_page": "home", "position": "1",
            "starts": "2030-01-01T09:00", "ends": "2030-01-02T09:00",
            "stage": "suggest", "segment": "tier:growth", "value": "1", "verdict": "agree",
            "post": "yes", "action": "delete_selected", "_selected_action": pick.pk, "username": "new-person",
        }  # fmt: skip

    def program(self, line):
        """What a program sends: exactly what the verb takes."""
        if "/reconcile/" in line.address:
            return differing(line)
        if "/sync/errors/" in line.address:
            return erring(line)
        if "/alerts/" in line.address:
            return {"state_version": 1}
        version, preview = self.seen(line)
        until = (clock.now() + timedelta(hours=1)).isoformat()
        why = {"reason": "because"}
        seen = {**why, "state_version": version}
        ask = {"kind": "contract.suspend", "contract": self.contract.external_id, "params": {"invoice": "in_1"}}
        return {
            "approve": {**seen, "preview_hash": preview}, "reject": seen, "retry": seen, "rollback": seen,
            "edit": {**seen, "params": {"invoice": "in_1"}}, "check": {"state_version": version}, "replay": why,
            "comment": {"text": "Looked at it."}, "snooze": {**why, "until": until, "why": "time"}, "escalate": why,
            "assign": {**why, "to": None, "group": "Support"}, "confirm": why, "stop": why,
            "resume": {**why, "step": "ask"}, "step": {**why, "stage": "suggest"}, "pause": why,
            "sign-off": {**why, "version": 1},
            "verify": {"text": "Refund issued.", "customer": self.contract.customer.external_id},
            "tick": {"state_version": 0}, "preview": ask, "actions": {**ask, **why},
        }.get(line.address.strip("/").rpartition("/")[2], {})  # fmt: skip


def differing(line):
    """What a program sends about a difference, or to begin a run."""
    verb, seen = line.address.strip("/").rpartition("/")[2], {"state_version": 1}
    why = {**seen, "reason": "because"}
    bodies = {"assign": {**why, "to": None, "group": "Support"}, "accept": why, "resolve": why, "propose": why}
    return {"check": "customers"} if verb == "runs" else bodies.get(verb, seen)


def erring(line):
    """What a program sends about an error of the customer sync."""
    verb, seen = line.address.strip("/").rpartition("/")[2], {"state_version": 0}
    return {"ignore": {**seen, "reason": "because"}, "resolve": {**seen, "reason": "because"}}.get(verb, seen)


def account(who):
    """The account of a column of the table."""
    group = who if who in presets.GROUPS else "Support Manager" if who == "inactive" else None
    return person(group, is_superuser=who == "superuser")


def troubled():
    """An incident with a planned update."""
    f.CustomerFactory(owner="nobody", email="ap@acme.example")
    by = person("Product Ops")
    one = desk.declare("Exports are late", "minor", scope.parse(["owner is nobody"]), by=by)
    say = {"template": "incident-update", "channel": "ticket", "text": "We are on it."}
    rounds.begin(one.pk, by=by, version=one.state_version, **say)
    return one


def linked(number):
    """A past due contract that the ERP and a ticket know."""
    customer = f.CustomerFactory()
    owed = {"in_1": {"first_failed": 1, "newest": [1, 1, 0]}}
    made = f.ContractFactory(state="past_due", customer=customer, plan="growth", dunning=owed)
    for system, kind in (("netsuite", "contract"), ("zendesk", "ticket")):
        f.ExternalIdFactory(system=system, kind=kind, value=number, customer=customer, contract=made)
    return made


def odd_key(model):
    """A key of the right shape that no row has."""
    return UNKNOWN["thread"] if model is Action else 987654321


TOUCHED = "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_xact_user_tables"
DIGEST = "md5(coalesce(string_agg({0}, '|' order by {0}), ''))"
# Signing in writes when it was; a refusal is told to the ledger.
AS_TEXT = {"auth_user": "concat_ws('|', t.id, t.username, t.password, t.is_active, t.is_staff, t.is_superuser)"}
WHICH = {"ledger_ledgerrow": "where t.outcome <> 'refused'"}


def tables():
    """Every table that an operation could change."""
    models = [
        model for name in APPS for model in apps.get_app_config(name).get_models(include_auto_created=True)
    ]  # fmt: skip
    return sorted({model._meta.db_table for model in models if model._meta.managed} - ASIDE)


def state(names=None):
    """A digest of each of these tables, all of them if none is named."""
    parts = [
        f"select '{name}', {DIGEST.format(AS_TEXT.get(name, 't::text'))} from {name} t {WHICH.get(name, '')}"
        for name in (tables() if names is None else names)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(parts) or "select 1 where false")
        return dict(cursor.fetchall())


def touched():
    """How many rows of each table this transaction wrote so far, taken back ones included."""
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED)
        return dict(cursor.fetchall())
