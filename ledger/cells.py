"""How a value looks in a list or on a page: escaped, with words beside every colour and UTC behind every time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger import clock, money

# Names of systems as people write them; filled by the console, for no vendor is known by name down here.
SYSTEMS: dict[str, str] = {"system": "Meshline", "meshline": "Meshline"}

TONES = {
    "held": "blue",
    "approved": "blue",
    "sending": "blue",
    "in_review": "amber",
    "unknown": "amber",
    "parked": "red",
    "failed": "red",
    "applied": "green",
    "processed": "green",
    "received": "blue",
    "waiting": "blue",
    "processing": "blue",
    "open": "blue",
    "claimed": "amber",
    "snoozed": "grey",
    "resolved": "grey",
    "active": "green",
    "past_due": "amber",
    "suspended": "red",
    "signed": "blue",
    "ready": "blue",
    "draft": "grey",
    "submitted": "amber",
    "live": "green",
    "withdrawn": "grey",
    "synced": "green",
    "conflict": "red",
    "pending": "blue",
    "running": "green",
    "stopped": "red",
    "resuming": "amber",
    "closed": "green",
    "shadow": "grey",
    "suggest": "blue",
    "canary": "blue",
    "ten": "blue",
    "half": "blue",
    "full": "green",
    "paused": "amber",
    "pass": "green",
    "hold": "blue",
    "review": "amber",
    "review_two": "amber",
    "block": "red",
}

# Characters that turn the reading direction or hide themselves: harmless in HTML, misleading to a reader.
MISLEADING = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
SOON, VERY_LATE = timedelta(hours=1), timedelta(days=14)


def plain(value: Any, limit: int = 200) -> str:
    """Somebody else's text, cut, with characters that hide or turn text made visible. Still to be escaped."""
    text = MISLEADING.sub(lambda found: f"[U+{ord(found.group()):04X}]", str(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def theirs(value: Any, limit: int = 200) -> SafeString:
    """Somebody else's text as an isolated run, so that it cannot turn around what stands beside it."""
    return format_html('<bdi class="theirs">{}</bdi>', plain(value, limit))


def tag(state: str, label: str) -> SafeString:
    """A state in words, coloured by what it asks of the reader."""
    return format_html('<span class="tag is-{}">{}</span>', TONES.get(str(state), "grey"), plain(label, 60))


def amount(minor: int | None, currency: str) -> SafeString:
    """Money in the currency's own decimals."""
    return format_html('<span class="amount">{}</span>', money.display(minor, currency))


def code(value: Any, *, keep: int = 0) -> SafeString:
    """An id in full, or its last characters with the whole in the title."""
    text = plain(value, 255)
    if keep and len(text) > keep:
        return format_html('<code title="{}">…{}</code>', text, text[-keep:])
    return format_html("<code>{}</code>", text) if text else dash()


def dash() -> SafeString:
    """Nothing to show, said so to screen readers as well."""
    return format_html('<span class="none"><span aria-hidden="true">–</span><span class="sr">{}</span></span>', "none")


def system(name: str) -> str:
    """A system's name as people write it."""
    known = SYSTEMS.get(name)
    return known or (plain(name, 40) if name != name.lower() else plain(name, 40).capitalize())


def utc(at: datetime) -> str:
    """The exact instant for titles, exports and tooltips."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment(at: datetime | None, *, seconds: bool = False) -> SafeString:
    """A point in time in the reader's zone; exact UTC behind it. A script may move it to the browser's zone."""
    if at is None:
        return dash()
    local = timezone.localtime(at)
    day = f"{local.day} {local:%b}" + ("" if local.year == clock.now().year else f" {local.year}")
    text = f"{day}, {local:%H:%M:%S}" if seconds else f"{day}, {local:%H:%M}"
    kind = "seconds" if seconds else "minutes"
    return format_html(
        '<time class="at" datetime="{}" title="{}" data-local="{}">{}</time>', at.isoformat(), utc(at), kind, text
    )


def ago(at: datetime | None) -> SafeString:
    """How long ago, or how long until; the exact time behind it."""
    if at is None:
        return dash()
    gap = clock.now() - at
    text = f"in {length(-gap)}" if gap < timedelta(0) else f"{length(gap)} ago"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), utc(at), text)


def length(span: timedelta) -> str:
    """A duration for people: `38 s`, `4 min`, `2 h 05 min`, `3 d 4 h`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    hours, minutes = divmod(seconds // 60, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours and days < 7 else f"{days} d"


def took(span: timedelta) -> str:
    """How long something took; under ten seconds to the tenth."""
    seconds = max(0.0, span.total_seconds())
    return f"{seconds:.1f} s" if seconds < 10 else length(span)


def left(due: datetime, now: datetime) -> tuple[str, str]:
    """Words and urgency of a due time: `2d 3h left`, `8m left`, `late 12m`; a very old one only says since when."""
    gap = due - now
    if gap < timedelta(0):
        if -gap > VERY_LATE:
            return f"late since {due.astimezone(timezone.get_current_timezone()):%d %b}", "old"
        return f"late {_compact(-gap)}", "late"
    return f"{_compact(gap)} left", "soon" if gap <= SOON else "fine"


def _compact(gap: timedelta) -> str:
    minutes = int(gap.total_seconds()) // 60
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02d}m"
    return f"{hours // 24}d {hours % 24}h"


def due(at: datetime, *, over: bool = False) -> SafeString:
    """The badge of a due time; a script counts it down from `datetime`."""
    if over:
        return format_html('<span class="quiet">{}</span>', "done")
    text, urgency = left(at, clock.now())
    return format_html(
        '<time class="due is-{}" datetime="{}" title="due {}">{}</time>', urgency, at.isoformat(), utc(at), text
    )


def link(url: str, text: Any) -> SafeString:
    """A link inside the console."""
    return format_html('<a href="{}">{}</a>', url, text)


def pairs(values: Mapping[str, Any]) -> SafeString:
    """A small table of names and values, everything escaped."""
    if not values:
        return dash()
    rows = format_html_join(
        "", "<dt>{}</dt><dd>{}</dd>", ((name, theirs(value, 400)) for name, value in values.items())
    )
    return format_html('<dl class="pairs">{}</dl>', rows)


def masked(email: str) -> str:
    """An e-mail address that says whose domain it is and no more: `d***@initech.example`."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}***@{domain}" if at else ("***" if email else "")
