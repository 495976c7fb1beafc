"""A drain's part in writing messages: claims what is due, has its threads call, books what came back.

The stop is read before anything is claimed and once more right before each first byte.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings

from gates import stop
from ledger import clock
from sync import guard, health, providers, retry
from sync.errors import (
    AuthError,
    PermanentError,
    ProviderError,
    TransientError,
    UnconfirmedError,
    WriteHalted,
)
from sync.providers import slack
from sync.providers.slack import Slack
from sync.slack import blocks, message, notes, outbox
from sync.slack.outbox import Row
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

NAME = "slack"
PACE_SECONDS = 1.0  # Slack takes about one message a second in a channel
LOOK_AFTER_SECONDS = 5.0  # an answer may be lost before the message is stored
LOOKS = 2
REFUSED_WAIT_SECONDS, HALTED_WAIT_SECONDS = 300.0, 10.0
SLACK_BEFORE = timedelta(minutes=1)  # its clock and ours


@dataclass(frozen=True, slots=True)
class Post:
    """One message to post, change or look for: plain data for a thread."""

    row: Row
    content: dict[str, Any]
    version: str
    final: bool
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One note to one person."""

    id: int
    event_id: int
    channel: str
    user: str
    text: str
    response_url: str


@dataclass(slots=True)
class Told:
    """What came of one call; a search that found nothing has neither place nor error."""

    job: Post | Note
    place: slack.Posted | None = None
    error: ProviderError | None = None

    @property
    def event_id(self) -> int | None:
        """The click that its exchanges belong to."""
        return self.job.event_id


Submit = Callable[[Post | Note, guard.Check], None]


class Poster:
    """One drain's. `submit` has a job of plain data done by one of the drain's threads, behind a check."""

    def __init__(self, submit: Submit, token: int, lease: int) -> None:
        self.submit, self.token, self.lease = submit, token, lease
        self.next_look = 0.0

    def look(self) -> int:
        """Claim what is due and have it written; returns how many calls were begun."""
        if not outbox.is_connected() or time.monotonic() < self.next_look:
            return 0
        self.next_look = time.monotonic() + PACE_SECONDS
        if health.wait_until([NAME], clock.now()) is not None or stop.blocks(NAME):
            return 0
        done = sum(self._begin(row) for row in outbox.take(self.token, self.lease))
        return done + self._notes()

    def _begin(self, row: Row) -> int:
        try:
            rendered = message.render(row.item_id, row.marker)
            if faults := blocks.faults(rendered.content):
                raise ValueError("; ".join(faults))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.exception("message_not_rendered", item_id=row.item_id, error=type(error).__name__)
            outbox.put_off(row, self.token, row.state, wait=REFUSED_WAIT_SECONDS, error=f"cannot be written: {error}")
            return 0
        held = guard.for_call(NAME, outbox.HELD, row.id, self.token)
        self.submit(Post(row, rendered.content, rendered.version, rendered.final), held)
        return 1

    def _notes(self) -> int:
        notes.give_up()
        begun = 0
        for note_id, event_id, channel, user, text, url, late in notes.take(self.token, self.lease, 4):
            if late:
                notes.end(note_id, self.token, error="too late to be of use")
                continue
            self.submit(Note(note_id, event_id, channel, user, text, url), guard.for_call(NAME))
            begun += 1
        return begun

    def book(self, results: Sequence[Any]) -> None:
        """Book what came back, each in a statement of its own."""
        for told in results:
            if isinstance(told, Told):
                if isinstance(told.job, Note):
                    self._book_note(told.job, told.error)
                else:
                    self._book_post(told.job, told)

    def _book_note(self, note: Note, error: ProviderError | None) -> None:
        untold = isinstance(error, TransientError | WriteHalted) or (error is not None and error.never_sent)
        again = _wait(error, 1) if error is not None and untold else None
        notes.end(note.id, self.token, error=error.message if error else "", again_in=again)

    def _book_post(self, post: Post, told: Told) -> None:
        row, error = post.row, told.error
        if error is None:
            self._book_answer(post, told.place)
            return
        log.info("message_not_written", item_id=row.item_id, error=type(error).__name__, code=error.code)
        wait = _wait(error, row.tries)
        if row.state == "posted":  # a change may be repeated whatever came of it
            if isinstance(error, PermanentError) and not isinstance(error, AuthError):
                outbox.give_up(row, self.token, error=error.message)
            else:
                outbox.put_off(row, self.token, "posted", wait=wait, error=error.message)
        elif row.state != "planned":  # the search failed, so it is as much in doubt as before
            outbox.put_off(row, self.token, "unknown", wait=wait, error=error.message, looks=row.looks)
        elif isinstance(error, UnconfirmedError):
            outbox.put_off(row, self.token, "unknown", wait=_look_after(), error=error.message)
        elif isinstance(error, PermanentError) and not isinstance(error, AuthError):
            outbox.give_up(row, self.token, error=error.message)
        else:
            outbox.put_off(row, self.token, "planned", wait=wait, error=error.message)

    def _book_answer(self, post: Post, place: slack.Posted | None) -> None:
        row = post.row
        if place is not None:
            found = row.state in ("sending", "unknown")
            version, final = ("", False) if found else (post.version, post.final)
            outbox.posted(row, self.token, channel=place.channel, ts=place.ts, shown=version, final=final)
        elif row.looks + 1 < LOOKS:
            error = "not found yet"
            outbox.put_off(row, self.token, "unknown", wait=_look_after(), error=error, looks=row.looks + 1)
        else:
            outbox.put_off(row, self.token, "planned", wait=0.0, error="it never arrived; posted anew")


def call(job: Post | Note, check: guard.Check, exchanges: list[Exchange]) -> Told:
    """One call, in a thread; whatever goes wrong comes back as an error."""
    try:
        if isinstance(job, Note):
            _tell_one(job, check, exchanges)
            return Told(job)
        return Told(job, place=_write(job, check, exchanges))
    except ProviderError as error:
        return Told(job, error=error)
    except Exception as error:
        log.error("message_broke", error=type(error).__name__, exc_info=error)
        return Told(job, error=UnconfirmedError(f"broke: {type(error).__name__}", provider=NAME, code="bug"))


def _write(post: Post, check: guard.Check, exchanges: list[Exchange]) -> slack.Posted | None:
    row, chat = post.row, _chat()
    if row.state in ("sending", "unknown"):
        assert row.sent_at is not None
        return chat.find(row.channel, str(row.marker), row.sent_at - SLACK_BEFORE, exchanges)
    if row.state == "posted":
        request = chat.update_message(row.channel, row.ts, post.content)
    else:
        request = chat.post_message(row.channel, post.content, str(row.marker))
    return slack.posted_from(chat.perform(request, check, exchanges))


def _tell_one(note: Note, check: guard.Check, exchanges: list[Exchange]) -> None:
    """By the address the click brought, which needs no right to be in the channel; else as a note in the channel."""
    if note.response_url:
        try:
            _chat().respond(note.response_url, note.text, check, exchanges)
            return
        except PermanentError as error:
            log.info("response_address_refused", event_id=note.event_id, code=error.code)
    _chat().perform(_chat().post_ephemeral(note.channel, note.user, note.text), check, exchanges)


def _chat() -> Slack:
    chat = providers.get(NAME)
    assert isinstance(chat, Slack)
    return chat


def _look_after() -> float:
    return LOOK_AFTER_SECONDS * float(settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)


def _wait(error: ProviderError | None, tries: int) -> float:
    """Seconds until the next try: what Slack asked for, else longer each time."""
    first = float(settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)
    if isinstance(error, AuthError):
        return REFUSED_WAIT_SECONDS * first
    if isinstance(error, WriteHalted):
        return HALTED_WAIT_SECONDS * first
    asked = error.retry_after.total_seconds() if error is not None and error.retry_after else 0.0
    return max(asked, retry.event_wait(tries, random.random()) * first)
