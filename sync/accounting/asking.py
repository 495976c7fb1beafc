"""A person asks for a record that the comparison of both books found missing: through the same gates, once."""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from gates import assistants
from gates.playbooks import accounting
from gates.playbooks.accounting import Fact, Line
from gates.stop import Refused
from ledger import wake
from ledger.models import Action
from sync import attempts, correlate, health
from sync.accounting import entries
from sync.accounting.models import BalanceEntry
from sync.actions.refund import biller
from sync.booking import Cause
from sync.errors import ProviderError
from sync.providers import stripe_accounts, stripe_balance
from sync.wiretypes import Exchange

PERMISSION = "gates.propose_action"


def ask(key: str, *, by: User, reason: str) -> Action:
    """Ask for the record of a line, named as both books know it (`payment ch_1`); returns its action.

    Raises Refused: 403 permission, 404 no such line, 409 off, not to be recorded, or under way, 502 billing is away.
    """
    if not (by.is_active and by.has_perm(PERMISSION)):
        raise Refused(403, "permission", f"your account may not ask for actions; it needs the permission {PERMISSION}")
    if not settings.MESHLINE_ACCOUNTING["on"]:
        raise Refused(409, "off", "accounting is off: set MESHLINE_ACCOUNTING=1; nothing was asked for")
    word, _, name = key.partition(" ")
    if word not in accounting.WORDS or not name:
        raise Refused(404, "line", f"there is no such line of billing's balance: {key[:80]!r}")
    account, facts = _read(name)
    for fact in facts:
        wanted = accounting.lines(fact, books_refunds=bool(settings.MESHLINE_CREDIT_MEMOS))
        line = next((one for one in wanted if one.key == key), None)
        if line is not None:
            return _asked(account, fact, line, by, reason)
    raise Refused(404, "line", f"billing has no {key[:80]} that is to be recorded; nothing was asked for")


def _read(name: str) -> tuple[str, Sequence[Fact]]:
    """The lines of an object, or the one line of that name, in the account that has it."""
    known = BalanceEntry.objects.filter(Q(provider_id=name) | Q(source=name)).values_list("account", flat=True).first()
    accounts = [known] if known is not None else [stripe_accounts.on_wire(one) for one in stripe_accounts.connected()]
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    try:
        for account in accounts:
            with stripe_accounts.acting_for(account):
                own = stripe_balance.one(biller(), name, exchanges) if name.startswith("txn_") else None
                found = [own] if own else stripe_balance.of_object(biller(), name, exchanges)
            if found:
                return account, found
    except ProviderError as error:
        errors.append(error)
        raise Refused(502, error.code or "provider", f"billing did not answer: {error.message}") from error
    finally:
        attempts.store((None, None, one) for one in exchanges)
        health.note_calls(exchanges, errors)
    return "", ()


def _asked(account: str, fact: Fact, line: Line, by: User, reason: str) -> Action:
    """Plan it as the automation would, and store what is missing of this line under the person's name."""
    with transaction.atomic():
        page, _ = entries.opened(account, [fact])
        place, known = entries.place_of(page, fact)
        plan = accounting.plan(fact, place)
        mine = [one for one in plan.proposals if _is_about(one.params, one.kind, line)]
        if not mine:
            told = plan.sentence or plan.skipped or "it is not over yet"
            raise Refused(409, "not_possible", f"{told.rstrip('.')}; nothing was asked for")
        event = entries.event_of([fact.id], account, known.refs.customer_id if known else None, "a person")
        cause = Cause(event.pk, event.correlation_id, "", requested_by=by.pk, assistant=assistants.is_assistant(by))
        made = [page.into.propose(one, known or correlate.NOBODY, cause) for one in mine]
        page.into.actions = [{**one, "because": f"{one['because']}; {reason}"[:490]} for one in page.into.actions]
        page.into.write()
        action = Action.objects.filter(pk=made[-1]).first()
        if action is None:
            raise Refused(409, "duplicate", f"the record of {line.key} is under way already; nothing was asked for")
        wake.ring()
    return action


def _is_about(params: Mapping[str, object], kind: str, line: Line) -> bool:
    """Whether a proposal books this line, or is the credit memo that its record settles."""
    if params.get("word") == line.word:
        return params.get("object") == line.object
    return line.word == "refund" and kind not in accounting.KINDS
