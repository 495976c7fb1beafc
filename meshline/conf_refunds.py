"""Settings of refunds: whether the books follow, and tickets that ask for one."""

import re
from typing import Any

from meshline.env import env_bool, env_str, refuse

TAG = re.compile(r"[a-z0-9_/-]{1,60}")
NUMBER = re.compile(r"[0-9]{1,18}")
FIELDS = ("payment", "amount", "currency", "reason", "customer")


def read() -> dict[str, Any]:
    """Names without their prefix: whether refunds get a credit memo, and the wish of a ticket.

    The wish: on, tag, form, and the ids of the custom fields by what they hold. Raises ImproperlyConfigured.
    """
    tag = env_str("MESHLINE_REFUND_TAG", "meshline_refund")
    if not TAG.fullmatch(tag):
        raise refuse("MESHLINE_REFUND_TAG", f"must be one tag of the support desk, not {tag!r}", "meshline_refund")
    fields = {name: _number(f"MESHLINE_REFUND_FIELD_{name.upper()}") for name in FIELDS}
    return {
        "CREDIT_MEMOS": env_bool("MESHLINE_CREDIT_MEMOS", default=True),
        "REFUND_TICKETS": {
            "on": env_bool("MESHLINE_REFUND_TICKETS", default=False), "tag": tag,
            "form": _number("MESHLINE_REFUND_FORM"),
            "fields": {name: number for name, number in fields.items() if number},
        },
    }  # fmt: skip


def _number(name: str) -> str:
    value = env_str(name, "")
    if value and not NUMBER.fullmatch(value):
        raise refuse(name, f"must be the number of a form or field of the support desk, not {value!r}", "360012345678")
    return value
