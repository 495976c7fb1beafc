"""`propose`: ask for an action from a file, as a person."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import review, shell
from gates.models import ReviewItem
from ledger import money
from ledger.models import Action
from sync import proposals, strictjson
from sync.errors import BadBody

FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), "a text"),
    "contract": ((str, int), "an external id or a number"),
    "params": ((dict,), "an object"),
    "reason": ((str,), "a text"),
}
MOST_BYTES = 64 * 1024


class Command(BaseCommand):
    """The command's way to the same door: judged by the same gates, approved by somebody else."""

    help = (
        'Ask for an action: a JSON file {"kind", "contract", "params", "reason"}, or - for standard input. A refund '
        '(payment.refund) has the params {"payment", "amount_minor", "currency", "reason"}; instead of amount_minor '
        'and currency it takes {"amount": "1,204.50 USD"}.'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, who and how to print."""
        parser.add_argument("file", help="path of the JSON file, or -")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--preview", action="store_true", help="only say what would come of it; nothing is stored")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Propose, and print what was decided."""
        by = shell.person(options["username"])
        asked = read(options["file"])
        kind, contract, params = asked["kind"], asked["contract"], amounts(asked.get("params", {}))
        with shell.door():
            if options["preview"]:
                found = foreseen(proposals.preview(kind, contract, params, by=by))
            else:
                found = described(proposals.propose(kind, contract, params, by=by, reason=asked["reason"]))
        self.stdout.write(json.dumps(found, default=str) if options["json"] else "\n".join(lines(found)))


def read(name: str) -> dict[str, Any]:
    """The request in the file. Raises CommandError naming the field that is wrong."""
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}", returncode=shell.WRONG_USE) from None
    if len(raw) > MOST_BYTES:
        raise CommandError(f"{name}: over {MOST_BYTES} bytes", returncode=shell.WRONG_USE)
    try:
        parsed = strictjson.loads_object(raw)
    except BadBody as error:
        raise CommandError(f"{name}: {error.reason}", returncode=shell.WRONG_USE) from None
    wrong = next(iter(sorted(parsed.oddities)), "") or problem(parsed.document)
    if wrong:
        raise CommandError(f"{name}: {wrong}", returncode=shell.WRONG_USE)
    return dict(parsed.document)


def problem(asked: dict[str, Any]) -> str:
    """The first member that is missing, unknown or of the wrong type."""
    unknown = sorted(asked.keys() - FIELDS.keys())
    if unknown:
        return f"{unknown[0][:60]}: is not known; known are {', '.join(FIELDS)}"
    for field, (types, rule) in FIELDS.items():
        if field not in asked:
            if field != "params":
                return f"{field}: is required, {rule}"
        elif not isinstance(asked[field], types) or isinstance(asked[field], bool):
            return f"{field}: must be {rule}"
    return ""


def amounts(params: dict[str, Any]) -> dict[str, Any]:
    """An amount as people write it, in minor units and currency. Raises CommandError when it cannot be read."""
    if "amount" not in params or {"amount_minor", "currency"} & params.keys():
        return params
    try:
        read_as = money.parse(str(params["amount"]))
    except money.BadAmount as error:
        raise CommandError(f"params.amount: {error}", returncode=shell.WRONG_USE) from None
    kept = {name: value for name, value in params.items() if name != "amount"}
    return {**kept, "amount_minor": read_as.minor, "currency": read_as.currency}


def foreseen(shown: dict[str, Any]) -> dict[str, Any]:
    """A preview in the form of what became of it: no action, no item."""
    return {**shown, "action": None, "review_item": None}


def described(action: Action) -> dict[str, Any]:
    """What became of it, as plain data."""
    item = ReviewItem.objects.filter(action=action).order_by("-id").first()
    return {
        "amount_minor": action.amount_minor, "currency": action.currency,
        "amount_30d_minor": action.facts.get("amount_30d_minor"), "needed": review.needed(action) if item else 0,
        "action": str(action.pk), "kind": action.kind, "state": str(action.state), "event": action.event_id,
        "correlation_id": str(action.correlation_id), "not_before": action.available_at.isoformat(),
        "failing": [one for one in action.answers if one["verdict"] != "pass"], "preview": action.preview,
        "review_item": str(item) if item else None,
    }  # fmt: skip


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    which = f"action {found['action']}" if found["action"] else "preview, nothing is stored"
    said = [f"{found['kind']}: {found['state'].replace('_', ' ')}  ({which})"]
    if found["amount_minor"] is not None:
        amount, total = (money.display(found[name], found["currency"]) for name in ("amount_minor", "amount_30d_minor"))
        said.append(f"  amount {amount}; {total} to this customer in 30 days, pending included")
    said += [f"  {one['rule']}: {one['verdict']}, {one['reason']}" for one in found["failing"]]
    said += [f"  {one['system']}, {one['field']}: {one['now']} -> {one['after']}" for one in found["preview"]]
    if found["review_item"]:
        who = "two other people" if found["needed"] > 1 else "another person"
        said.append(f"  {found['review_item']} waits for {who}")
    return said
