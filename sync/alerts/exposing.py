"""The rules for collectors: the numbers that were measured last, never measured for a scrape."""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.alerts.board import Line, rules

VALUE, LIMIT, ON = "meshline_alert_value", "meshline_alert_limit", "meshline_alert_on"
MEASURED = "meshline_alert_measured_timestamp_seconds"
ABOUT = {
    VALUE: "The number of a rule as it was measured last; missing where it could not be measured",
    LIMIT: "Above which number the rule's alert begins",
    ON: "How many alerts of the rule are on",
    MEASURED: "When the rule was measured last",
}
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def as_json() -> list[dict[str, Any]]:
    """The same as objects."""
    return [
        {
            "rule": one.rule.name, "state": one.state, "value": one.value, "limit": one.rule.limit,
            "unit": one.rule.unit, "on": len(one.episodes),
            "measured_at": one.measured_at.isoformat() if one.measured_at else None,
        }
        for one in rules()
    ]  # fmt: skip


def text() -> str:
    """Prometheus' text form."""
    lines = rules()
    return "".join(_family(name, _samples(name, lines)) for name in ABOUT)


def _samples(name: str, lines: Sequence[Line]) -> list[tuple[Mapping[str, str], float]]:
    given = {
        VALUE: lambda one: one.value, LIMIT: lambda one: one.rule.limit,
        ON: lambda one: float(len(one.episodes)),
        MEASURED: lambda one: one.measured_at.timestamp() if one.measured_at else None,
    }[name]  # fmt: skip
    found = [({"rule": one.rule.name}, given(one)) for one in lines]
    return [(labels, value) for labels, value in found if value is not None]


def _family(name: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> str:
    head = f"# HELP {name} {ABOUT[name]}.\n# TYPE {name} gauge\n"
    return head + "".join(f"{name}{labelled(labels)} {value:.10g}\n" for labels, value in samples) if samples else ""


def labelled(labels: Mapping[str, str]) -> str:
    """Labels as they stand behind a name; backslash, quote and line end escaped."""
    return "{" + ",".join(f'{name}="{value.translate(ESCAPES)}"' for name, value in labels.items()) + "}"
