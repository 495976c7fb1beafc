"""Small charts as SVG in the page, each with the same numbers as a table; pure functions, no script and no style.

A point is `(label, value)`: the label is a day such as `2026-11-21`, the value a number of `unit` or None for a day
was not computed. None is a gap in the line, never a zero. Units: `share` (0..1, in per cent), `seconds`, `count`,
`money:eur` (minor units of that currency); any other unit is written behind the number.

    charts.line([("2026-11-20", 0.4), ("2026-11-21", None)], title="SLA met", unit="share", target=0.95)
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from ledger import money
from sync import signals

Points = Sequence[tuple[str, float | None]]

NEEDS = 7  # days below which a line says nothing
WIDE, HIGH, EDGE = 600, 120, 4
SMALL = 36
EMPTY = mark_safe("")
SVG = (
    '<svg role="img" viewBox="0 0 {w} {h}" width="100%" height="{h}" preserveAspectRatio="none" fill="none" '
    'stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"><title>{title}</title>'
    "<desc>{about}</desc>{parts}</svg>"
)
# The picture is stretched to its box; its lines are not.
PATH = '<path vector-effect="non-scaling-stroke" stroke-width="{}" stroke-opacity="{}" d="{}"/>'
GOAL = (
    '<line vector-effect="non-scaling-stroke" x1="{}" x2="{}" y1="{}" y2="{}" stroke-width="1" stroke-dasharray="5 4"/>'
)
HEADS = ("Day", "Value", "Before")


def line(
    points: Points, *, title: str, unit: str, target: float | None = None, second: Points | None = None,
    needs: int = NEEDS,
) -> SafeString:  # fmt: skip
    """A line over its days, with what it is read against: the target (dashed), the period before (`second`, thin)."""
    return _drawn(points, title, unit, target, second, needs, HIGH)


def spark(
    points: Points, *, title: str, unit: str, target: float | None = None, second: Points | None = None,
    needs: int = NEEDS,
) -> SafeString:  # fmt: skip
    """The same in the height of two lines of text, for a card."""
    return _drawn(points, title, unit, target, second, needs, SMALL)


def bars(rows: Points, *, title: str, unit: str) -> SafeString:
    """One bar a row, the longest as wide as the box; the numbers stand beside their names, so it is a table itself."""
    most = max((value for _, value in _clean(rows) if value is not None), default=0.0)
    if not rows:
        return format_html('<p class="empty">{}: nothing to show yet.</p>', title)
    drawn = format_html_join("", "<tr><th scope=\"row\">{}</th><td>{}</td><td width=\"50%\">{}</td></tr>", (
        (label, worded(value, unit), _bar(value, most)) for label, value in _clean(rows)
    ))  # fmt: skip
    return format_html('<table class="small"><caption class="sr">{}</caption><tbody>{}</tbody></table>', title, drawn)


def worded(value: float | None, unit: str) -> str:
    """A number for people: `97.1 %`, `1.5 h`, `1,204`, `12.00 EUR`; a dash for none."""
    if value is None or not isfinite(value):
        return "–"
    kind, _, currency = unit.partition(":")
    if kind == "money":
        return money.display(round(value), currency)
    if kind == "share":
        return f"{value:.1%}".replace("%", " %")
    if kind == "seconds":
        return signals.seconds(value) if value < 172_800 else f"{value / 86400:.1f} d"
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return number if kind in ("count", "") else f"{number} {unit}"


def numbers(points: Points, *, title: str, unit: str, second: Points | None = None) -> SafeString:
    """The numbers of a chart as a table, the newest first, folded away."""
    before = [value for _, value in _clean(second or ())]
    rows = [
        (label, worded(value, unit), worded(before[at] if at < len(before) else None, unit))
        for at, (label, value) in enumerate(_clean(points))
    ]
    head = format_html_join("", '<th scope="col">{}</th>', ((name,) for name in HEADS[: 3 if before else 2]))
    cell = '<tr><th scope="row">{}</th><td>{}</td>' + ("<td>{}</td></tr>" if before else "</tr>")
    body = format_html_join("", cell, reversed(rows))
    return format_html(
        '<details class="numbers"><summary>Numbers<span class="sr"> of {}</span></summary><table class="small">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></details>",
        title, head, body,
    )  # fmt: skip


def waiting(known: int, needs: int = NEEDS) -> str:
    """What stands in the place of a line that has too few days."""
    return f"Needs {needs} {'day' if needs == 1 else 'days'} of data; {known} so far."


def _drawn(
    points: Points, title: str, unit: str, target: float | None, second: Points | None, needs: int, high: int
) -> SafeString:
    shown, other = _clean(points), _clean(second or ())
    known = [value for _, value in shown if value is not None]
    table = numbers(shown, title=title, unit=unit, second=other or None) if known else EMPTY
    if len(known) < max(needs, 1):
        return format_html('<p class="empty">{}</p>{}', waiting(len(known), needs), table)
    goal = target if target is not None and isfinite(target) else None
    all_ = [*known, *(value for _, value in other if value is not None), *([goal] if goal is not None else [])]
    low, top = min(0.0, *all_), max(0.0, *all_)
    parts = [_goal(goal, low, top, high)] if goal is not None else []
    if other:
        parts.append(_path(other, low, top, high, 1, ".55"))
    parts.append(_path(shown, low, top, high, 2, "1"))
    about = _about(shown, known, unit, goal, is_compared=bool(other))
    drawn = format_html(SVG, w=WIDE, h=high, title=title, about=about, parts=format_html("{}" * len(parts), *parts))
    return format_html('{}<p class="quiet">{}</p>{}', drawn, about, table)


def _clean(points: Points) -> list[tuple[str, float | None]]:
    """Numbers that are none (not a number, without end) are gaps."""
    return [(label, value if value is not None and isfinite(value) else None) for label, value in points]


def _about(
    shown: Points, known: Sequence[float], unit: str, goal: float | None, *, is_compared: bool
) -> str:  # fmt: skip
    gaps = len(shown) - len(known)
    said = [
        f"{shown[0][0]} to {shown[-1][0]}",
        f"{worded(min(known), unit)} to {worded(max(known), unit)}",
        *([f"dashed: target {worded(goal, unit)}"] if goal is not None else []),
        *(["thin: the period before"] if is_compared else []),
        *([f"{gaps} {'day' if gaps == 1 else 'days'} without a number"] if gaps else []),
    ]
    return "; ".join(said)


def _y(value: float, low: float, top: float, high: int) -> float:
    span = top - low
    return high - EDGE - (value - low) / span * (high - 2 * EDGE) if span else high - EDGE


def _path(points: Points, low: float, top: float, high: int, width: int, shade: str) -> SafeString:
    """A line that is lifted at each gap; a day that stands alone is a dot."""
    step = (WIDE - 2 * EDGE) / max(len(points) - 1, 1)
    steps: list[str] = []
    known = [value is not None for _, value in points]
    joined = [False, *(a and b for a, b in pairwise(known))]
    for at, (_, value) in enumerate(points):
        if value is not None:
            place = f"{EDGE + at * step:.1f} {_y(value, low, top, high):.1f}"
            alone = not joined[at] and not (at + 1 < len(known) and known[at + 1])
            steps.append(f"{'L' if joined[at] else 'M'}{place}{'h0' if alone else ''}")
    return format_html(PATH, width, shade, "".join(steps))


def _goal(goal: float, low: float, top: float, high: int) -> SafeString:
    y = f"{_y(goal, low, top, high):.1f}"
    return format_html(GOAL, EDGE, WIDE - EDGE, y, y)


def _bar(value: float | None, most: float) -> SafeString:
    if value is None or value <= 0 or most <= 0:
        return EMPTY
    return format_html(
        '<svg aria-hidden="true" width="100%" height="10" fill="currentColor"><rect width="{}%" height="10"/></svg>',
        f"{100 * value / most:.1f}",
    )
