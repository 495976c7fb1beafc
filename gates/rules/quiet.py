"""Nobody is written to at night: a message that carries quiet hours waits for the customer's morning."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict

NAME = "quiet_hours"


def quiet_hours(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """`quiet` in the parameters is `from-to` in minutes after local midnight, `zone` the zone it is meant in."""
    quiet, zone = proposal.params.get("quiet"), proposal.params.get("zone")
    if not quiet or not zone:
        return RuleResult(NAME, Verdict.PASS)
    start, _, end = str(quiet).partition("-")
    until = ends(facts.now, int(start), int(end), str(zone))
    if until is None:
        return RuleResult(NAME, Verdict.PASS)
    return RuleResult(NAME, Verdict.HOLD, f"it is night in {zone}", until)


def ends(now: datetime, start: int, end: int, zone: str) -> datetime | None:
    """When the quiet hours that `now` lies in are over, aware UTC; None outside of them."""
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    is_quiet = start <= minute < end if start < end else minute >= start or minute < end
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1 if start > end and minute >= start else 0)
    return datetime.combine(day, time(end // 60, end % 60), ZoneInfo(zone)).astimezone(UTC)
