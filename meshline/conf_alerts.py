"""Settings of the alerts: the limit of each rule that measures something."""

import re

from meshline.env import env_str, refuse

NAME = "MESHLINE_ALERT_LIMITS"
EXAMPLE = "item-old=48,queue-growth=100,override-rate=off"
PAIR = re.compile(r"([a-z-]{3,40})=(off|[0-9]{1,6}(?:\.[0-9]{1,3})?)")
# Rule -> the limit it starts with, and the highest that still means something; the unit stands in its sentence.
DEFAULTS: dict[str, tuple[float, float]] = {
    "ingest-slow": (2, 3600), "creation-slow": (5, 100), "duplicates": (0.5, 100), "reconcile-mismatch": (2, 100),
    "item-old": (24, 720), "queue-growth": (50, 100_000), "contradictions": (20, 100), "override-rate": (30, 100),
    "correction-slow": (1.5, 100), "late-receipt": (4, 100_000), "backlog-growth": (500, 999_999),
    "unknown-outcomes": (0, 100_000), "provider-down": (0, 3600), "reconcile-failed": (0, 20),
    "schema-drift": (0, 100_000), "workers-silent": (30, 3600), "schedule-silent": (180, 86_400),
    "ledger-check": (0, 0), "alerts-untold": (300, 86_400), "not-measured": (0, 50),
}  # fmt: skip
NEVER_OFF = ("ledger-check", "workers-silent")


def read() -> dict[str, float | None]:
    """Rule -> limit; None: off. What is not named keeps its default.

    Raises ImproperlyConfigured with the variable, the rule and what is allowed.
    """
    limits: dict[str, float | None] = {name: default for name, (default, _) in DEFAULTS.items()}
    for part in filter(None, (one.strip() for one in env_str(NAME, "").split(","))):
        found = PAIR.fullmatch(part)
        if found is None:
            raise refuse(NAME, f"must be rule=number or rule=off, comma between them, not {part!r}", EXAMPLE)
        name, said = found.groups()
        if name not in DEFAULTS:
            raise refuse(NAME, f"knows no rule {name!r}, only {', '.join(DEFAULTS)}", EXAMPLE)
        if said == "off" and name in NEVER_OFF:
            raise refuse(NAME, f"cannot switch {name} off", EXAMPLE)
        limits[name] = None if said == "off" else float(said)
        if said != "off" and float(said) > DEFAULTS[name][1]:
            raise refuse(NAME, f"{name} is at most {DEFAULTS[name][1]:g}, not {said}", EXAMPLE)
    return limits
