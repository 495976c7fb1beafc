"""What a page says of the seals: how far they reach, what they do not cover yet, when they were looked at last."""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import cells, sets
from ledger.models import LedgerCheck, LedgerSeal
from meshline.console.page import Block

MOST_COUNTED = 100_000
UNSEALED = """
select count(*) from (select from ledger_ledgerrow
 where id > coalesce((select last_row from ledger_ledgerseal order by id desc limit 1), 0) limit %(most)b) r"""


def block() -> Block:
    """The seals of the ledger, for its verify page; four statements whatever the size."""
    newest = LedgerSeal.objects.defer("row_digests").order_by("-id").first()
    unsealed = int(sets.run(UNSEALED, {"most": MOST_COUNTED + 1})[0][0])
    if newest is None and not unsealed:
        return Block("Seals", empty="Nothing to seal yet. The first seal is made within minutes of the first row.")
    pairs: list[tuple[str, Any]] = [
        ("Newest seal", _newest(newest)),
        ("Rows not sealed yet", f"more than {MOST_COUNTED:,}" if unsealed > MOST_COUNTED else f"{unsealed:,}"),
        ("Last look at the whole ledger", _last_look()),
    ]
    return Block("Seals", pairs=pairs, wide=True)


def _newest(seal: LedgerSeal | None) -> Any:
    if seal is None:
        return "none yet; the workers make one every five minutes, seal_ledger makes one now"
    return format_html(
        "{}, up to row #{}, made {}, digest {}",
        f"{seal.pk:,}", seal.last_row, cells.ago(seal.sealed_at), cells.code(bytes(seal.digest).hex(), keep=12),
    )  # fmt: skip


def _last_look() -> str | SafeString:
    """The last look that came to an end, and the one under way."""
    last = LedgerCheck.objects.filter(ended_at__isnull=False).order_by("-ended_at").first()
    if last is None or last.ended_at is None:
        return "none yet; the workers begin one each day, verify_ledger looks now"
    if not last.problem:
        return format_html(
            "{}, {} rows: {}", cells.ago(last.ended_at), f"{last.rows:,}", cells.tag("applied", "Intact")
        )
    where = f"row #{last.bad_row}: " if last.bad_row is not None else ""
    return format_html(
        "{} {} {}{}", cells.ago(last.ended_at), cells.tag("failed", "Broken"), where, cells.theirs(last.problem, 400)
    )
