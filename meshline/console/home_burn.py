"""How the queue burns down today, hour by hour: what is open against what may be open if nothing is to be late."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger import clock
from meshline.console.home_numbers import MOST, rows

WIDE, HIGH, EDGE = 600, 120, 5
EVERY = 4  # hours between two words below the picture
LINE = '<path vector-effect="non-scaling-stroke" '
SVG = (
    '<svg role="img" viewBox="0 0 {w} {h}" width="100%" height="{h}" preserveAspectRatio="none" fill="none" '
    'stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"><title>{title}</title><desc>{said}</desc>'
    + LINE + 'stroke-opacity=".35" d="M0 {foot}H{w}"/>' + LINE + 'stroke-dasharray="6 5" d="{goal}"/>'
    + LINE + 'stroke-width="2.5" d="{line}"/>' + LINE + 'stroke-width="9" d="{dot}"/></svg>'
    '<div class="hours quiet" aria-hidden="true">{hours}</div><p class="quiet">{said}</p>{table}'
)  # fmt: skip

# Open items, and those resolved since the day began: when each was opened, when resolved, and until when it was open
# and not late, as hours of the day. An item whose clock rests is not late.
SQL = """
with q as (
  select created_at, null::timestamptz resolved_at,
         case when paused_at is null then greatest(created_at, due_at) end fine from (
    select created_at, due_at, paused_at from gates_reviewitem where state <> 'resolved'
     order by due_at, id limit %(most)s) o
  union all
  select created_at, resolved_at, least(resolved_at, greatest(created_at, due_at)) from (
    select created_at, resolved_at, due_at from gates_reviewitem where resolved_at >= %(day)s
     order by resolved_at limit %(most)s) e)
select width_bucket(created_at, %(hours)s), width_bucket(resolved_at, %(hours)s),
       width_bucket(fine, %(hours)s), count(*) from q group by 1, 2, 3"""


@dataclass(frozen=True, slots=True)
class Burn:
    """A day of 23 to 25 hours: at each full hour what was open (None in the future), and what of it is not late.

    `now` is what is open now, `gone` the share of the day that is over.
    """

    hours: tuple[datetime, ...]
    open: tuple[int | None, ...]
    target: tuple[int, ...]
    now: int
    gone: float

    @property
    def is_empty(self) -> bool:
        """Whether nothing was open on this day at all."""
        return not (self.now or any(self.open) or any(self.target))


def today() -> Burn:
    """The day of whoever asks, in their zone. One statement over indexes alone."""
    begin = timezone.localtime(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    after = (begin.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=begin.tzinfo)
    hours = _hours(begin, after)
    counted = rows(SQL, {"most": MOST, "day": hours[0], "hours": list(hours)})
    return burn(hours, counted, clock.now())


def burn(hours: Sequence[datetime], counted: Sequence[tuple[int | None, ...]], now: datetime) -> Burn:
    """From `(opened, resolved, not late until, how many)`, each as the number of full hours that had begun by then."""
    opened, ended, due = Counter[int](), Counter[int](), Counter[int]()
    for begun, resolved, late, many in counted:
        opened[begun or 0] += many or 0
        if resolved is not None:
            ended[resolved] += many or 0
        if late is not None:
            due[late] += many or 0
    # What fell into the hour before a full hour counts at that hour; what was before the day is there from the first.
    steps = range(len(hours))
    made, gone, owed = (list(accumulate(one[step] for step in steps)) for one in (opened, ended, due))
    seen = tuple(made[step] - gone[step] if hours[step] <= now else None for step in steps)
    goal = tuple(made[step] - owed[step] for step in steps)
    over = (now - hours[0]) / (hours[-1] - hours[0])
    return Burn(tuple(hours), seen, goal, opened.total() - ended.total(), min(1.0, max(0.0, over)))


def _hours(begin: datetime, after: datetime) -> tuple[datetime, ...]:
    first, last = begin.astimezone(clock.now().tzinfo), after.astimezone(clock.now().tzinfo)
    many = round((last - first).total_seconds() / 3600)
    return tuple(first + timedelta(hours=step) for step in range(many + 1))


def drawn(one: Burn) -> SafeString:
    """Picture, a sentence of it, and the same numbers as a table. The picture is stretched to its box."""
    said = sentence(one)
    most = max(1, one.now, *(value or 0 for value in one.open), *one.target)
    across = [WIDE * step / (len(one.hours) - 1) for step in range(len(one.hours))]
    known = [(x, value) for x, value in zip(across, one.open, strict=True) if value is not None]
    known.append((WIDE * one.gone, one.now))
    hours = format_html_join("", "<span>{}</span>", ((_clock(at),) for at in one.hours[::EVERY]))
    return format_html(
        SVG, w=WIDE, h=HIGH, foot=HIGH - EDGE, title="SLA burn-down of today", said=said,
        goal=_path(list(zip(across, one.target, strict=True)), most), line=_path(known, most),
        dot=_path(known[-1:], most) + "h0", hours=hours, table=table(one),
    )  # fmt: skip


def sentence(one: Burn) -> str:
    """What the picture says, without looking at it."""
    at = sum(value is not None for value in one.open) - 1
    may = one.target[at]
    most = max(one.now, *(value or 0 for value in one.open), *one.target)
    return (
        f"Solid: open, {one.now:,} now. Dashed: what may be open if nothing is late, {may:,} at "
        f"{_clock(one.hours[at])} and {one.target[-1]:,} at the end of the day. Top of the picture: {most:,}."
    )


def table(one: Burn) -> SafeString:
    """Hour, open, target."""
    body = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>', (
        (_clock(at), "" if value is None else f"{value:,}", f"{goal:,}")
        for at, value, goal in zip(one.hours, one.open, one.target, strict=True)
    ))  # fmt: skip
    return format_html(
        '<details><summary>Numbers<span class="sr"> of the burn-down</span></summary><table class="small"><thead><tr>'
        '<th scope="col">Hour</th><th scope="col">Open</th><th scope="col">May be open</th></tr></thead>'
        "<tbody>{}</tbody></table></details>",
        body,
    )


def _clock(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M}"


def _path(points: Sequence[tuple[float, int]], most: int) -> str:
    high = HIGH - 2 * EDGE
    return "M" + "L".join(f"{x:.1f} {EDGE + high * (1 - value / most):.1f}" for x, value in points)
