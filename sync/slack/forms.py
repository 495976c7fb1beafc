"""The form that asks for a reason, opened right after the click was stored: Slack gives three seconds for it.

The receiver hands the click to a few threads of its own and answers; it never waits for them. Who has no right to the
decision gets no form: the worker tells them why.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import Error, connections

from gates.stop import Refused
from sync import attempts, contracts, deadline, guard, providers
from sync.contracts import slack as contract
from sync.contracts.slack import SlackClick
from sync.errors import ProviderError, WriteHalted
from sync.inbox import Delivery
from sync.providers.slack import Slack
from sync.slack import blocks, desk, message, notes, refs
from sync.slack.models import SlackMessage
from sync.slack.refs import FormRef
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

THREADS, MOST_WAITING = 4, 16
DATABASE_SECONDS = 1.0
TOO_LATE = "The form could not be opened in time; nothing was done. Click again, or use Open."

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="slack-form")
_room = threading.BoundedSemaphore(MOST_WAITING)


def begin(delivery: Delivery, event_id: int) -> None:
    """Have the form of a click opened, if it asks for one. Never waits; more than a few at once are left out."""
    if delivery.envelope.type != contract.CLICK or delivery.envelope.park or not _room.acquire(blocking=False):
        return
    try:
        _pool.submit(_run, delivery.raw, event_id)
    except RuntimeError:  # we are going down
        _room.release()


def _run(raw: bytes, event_id: int) -> None:
    try:
        open_for(raw, event_id)
    except Exception as error:
        log.exception("form_broke", event_id=event_id, error=type(error).__name__)
    finally:
        connections.close_all()  # this thread may not be needed again for hours
        _room.release()


def open_for(raw: bytes, event_id: int) -> None:
    """Open the form of a stored click, for who may decide; store what was exchanged."""
    document = contracts.parse(contract.SOURCE, raw).document
    seen = contract.read(contract.CLICK, "", document)
    if not isinstance(seen, SlackClick):
        return
    try:
        with deadline.limit(DATABASE_SECONDS):
            view = _view(seen)
    except Error as error:
        log.warning("form_not_prepared", event_id=event_id, error=type(error).__name__)
        return
    if view is None:
        return
    exchanges: list[Exchange] = []
    try:
        _chat().open_form(contract.trigger_id(document), view, guard.for_call(contract.SOURCE), exchanges)
    except WriteHalted:
        log.info("form_halted", event_id=event_id)
    except ProviderError as error:
        log.warning("form_not_opened", event_id=event_id, error=type(error).__name__, code=error.code)
        notes.plan(event_id, seen.channel, seen.user, TOO_LATE)
    attempts.store([(None, event_id, one) for one in exchanges])


def _view(seen: SlackClick) -> dict[str, object] | None:
    """The form for the first button of a click that asks for a reason; None where there is nothing to open."""
    press = seen.presses[0]
    verb, ref = press.action_id.removeprefix(refs.PREFIX), refs.read(press.value)
    if ref is None or verb not in refs.ASKING:
        return None
    found = SlackMessage.objects.filter(item_id=ref.item).first()
    by = desk.person(seen.home, seen.user)
    if by is None or not message.of_click(found, ref, seen.channel, seen.message_ts):
        return None
    try:
        item = desk.check(ref, verb, by)
    except Refused:
        return None
    view = message.form(item, verb, refs.sign_form(FormRef(ref, verb, seen.user, seen.channel)))
    if faults := blocks.faults(view):
        raise ValueError("; ".join(faults))
    return view


def _chat() -> Slack:
    chat = providers.get(contract.SOURCE)
    assert isinstance(chat, Slack)
    return chat
