"""Words that say something was done are not the same as its being done: only a confirming ledger row is."""

import re
from collections.abc import Collection

from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import cells

# What people and assistants write when they mean that something has happened -> the kind whose confirmation proves it.
CLAIMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), kind)
    for words, kind in (
        (r"refunded|refund\s+(?:was|is|has\s+been|issued|sent|done)|money\s+back\s+sent", "payment.refund"),
        (r"credited|credit\s+(?:note|memo)\s+(?:was\s+)?(?:issued|sent)", "payment.refund"),
        (r"suspended", "contract.suspend"),
        (r"restored|reactivated|reinstated", "contract.restore"),
        (r"downgraded", "contract.downgrade"),
        (r"cancelled|canceled", "contract.cancel"),
        (r"all\s+done|it(?:'s|\s+is|\s+was)\s+done|completed|resolved|fixed|processed", ""),
    )
)
MARK = "not confirmed by ledger"


def unconfirmed(text: str, kind: str, confirmed: Collection[str]) -> bool:
    """Whether a text claims something that no confirming row proves; a claim of no kind means the item's own `kind`."""
    return any(pattern.search(text) and (of or kind) not in confirmed for pattern, of in CLAIMS)


def mark(text: str, kind: str, confirmed: Collection[str]) -> SafeString | str:
    """The tag that stands beside such a text, or nothing."""
    if not unconfirmed(text, kind, confirmed):
        return ""
    title = (
        "The text says that something was done. No ledger row of this customer confirms it since the item was opened."
    )
    return format_html('<span class="tag is-amber" title="{}">{}</span>', title, cells.plain(MARK, 60))
