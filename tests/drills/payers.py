"""Customers of every row of the decision table, on both sides, in numbers; and what each has to come to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BATCH = 500
ID_FIELD = "custentity_nm_stripe_customer_id"
ADDRESS = {"addr1": "1 Main St", "city": "Springfield", "state": "IL", "zip": "62701", "country": {"id": "US"}}
BOOK = {"items": [{"defaultBilling": True, "defaultShipping": True, "addressBookAddress": ADDRESS}]}

# kind -> (share in twenty, what becomes of it, why)
KINDS: dict[str, tuple[int, str, str]] = {
    "none": (5, "created", ""), "one": (3, "linked", ""), "several": (1, "review", "several_matches"),
    "changed": (1, "updated", ""), "case": (1, "updated", ""), "cross": (1, "updated", ""),
    "deleted": (1, "review", "deleted"), "other_mode": (1, "error", "other_mode"),
    "foreign": (1, "error", "other_account"), "no_email": (1, "review", "missing_email"),
    "two_addresses": (1, "review", "several_addresses"), "elsewhere": (1, "review", "linked_elsewhere"),
    "inactive": (1, "skipped", "inactive"), "shared": (1, "", ""),
}  # fmt: skip
RING = [kind for kind, (share, _, _) in KINDS.items() for _ in range(share)]
WRITES = {"created": "creates", "linked": "updates", "updated": "updates"}


@dataclass
class Town:
    """What was planted: internal id -> (outcome, code)."""

    expected: dict[int, tuple[str, str]] = field(default_factory=dict)

    def plant(self, sandbox: Any, count: int, *, prefix: str, only: str = "") -> list[int]:
        """Plant this many customers of every kind, or of one; returns their internal ids."""
        made: list[int] = []
        for start in range(0, count, BATCH):
            kinds = [only or RING[n % len(RING)] for n in range(start, min(count, start + BATCH))]
            made += self._batch(sandbox, kinds, start, prefix)
        return made

    def _batch(self, sandbox: Any, kinds: list[str], start: int, prefix: str) -> list[int]:
        names = [f"{prefix}{start + n}" for n in range(len(kinds))]
        billing = [list(_billing(kind, name)) for kind, name in zip(kinds, names, strict=True)]
        flat = [row for rows in billing for row in rows]
        ids = iter(_play(sandbox, "stripe", flat)) if flat else iter(())
        held = [[next(ids) for _ in rows] for rows in billing]
        rows = [_erp(kind, name, found) for kind, name, found in zip(kinds, names, held, strict=True)]
        internal = [int(one) for one in _play(sandbox, "netsuite", rows)]
        for kind, name, key in zip(kinds, names, internal, strict=True):
            self.expected[key] = _expected(kind, name)
        return internal


def _play(sandbox: Any, provider: str, rows: list[dict[str, Any]]) -> list[str]:
    return list(sandbox.post(f"/_play/{provider}/plant_customers", {"rows": rows})["ids"])


def _address(kind: str, name: str) -> str:
    """Two neighbours of the kind `shared` have one address: the first is made, the second is a person's."""
    return f"ap-{name}@{kind.replace('_', '-')}.example"


def _pair(name: str) -> str:
    """The name of the first of a pair: the second stands one whole ring behind it."""
    head = name.rstrip("0123456789")
    number = int(name[len(head) :])
    turn = number // len(RING)
    return f"{head}{number - len(RING) * (turn % 2)}"


def _expected(kind: str, name: str) -> tuple[str, str]:
    if kind == "shared":
        return ("created", "") if _pair(name) == name else ("review", "shared_email")
    return KINDS[kind][1], KINDS[kind][2]


def _billing(kind: str, name: str) -> Iterator[dict[str, Any]]:
    """What the billing system has of a customer of this kind."""
    mail, company = _address(kind, name), f"Company {name}"
    match kind:
        case "one":
            yield {"email": mail, "name": company}
        case "several":
            yield {"email": mail}
            yield {"email": mail}
        case "changed":
            yield {"email": f"old-{mail}", "name": company}
        case "case":
            yield {"email": mail.upper(), "name": company}
        case "cross":
            yield {"email": f"x-{mail}", "name": company}
            yield {"email": mail}
        case "deleted":
            yield {"email": mail, "deleted": True}
        case "other_mode":
            yield {"email": mail, "other_mode": True}
        case "elsewhere":
            yield {"email": mail, "metadata": {"netsuite_customer_id": "9", "netsuite_account": "1234567_SB1"}}


def _erp(kind: str, name: str, billing: list[str]) -> dict[str, Any]:
    """What the ERP has of it."""
    row: dict[str, Any] = {"companyName": f"Company {name}", "email": _address(kind, name), "addressBook": BOOK}
    if kind in ("changed", "case", "cross", "deleted", "other_mode"):
        row[ID_FIELD] = billing[0]
    elif kind == "foreign":
        row[ID_FIELD] = f"cus_elsewhere{name}"
    elif kind == "no_email":
        del row["email"]
    elif kind == "two_addresses":
        row["email"] = f"a-{row['email']}; b-{row['email']}"
    elif kind == "inactive":
        row["isInactive"] = True
    elif kind == "shared":
        row["email"] = _address(kind, _pair(name))
    return row
