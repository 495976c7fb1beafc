"""Settings of accounting: from which day on, and the accounts of the ERP's ledger that records go to."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from meshline.env import env_bool, env_str, refuse, split

NUMBER = re.compile(r"[0-9]{1,18}")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
REST = "*"  # every other billing account


def read(first: str) -> dict[str, Any]:
    """Whether it is on, the first moment that counts (UTC), and NetSuite's internal ids, by billing account.

    `first` is the name of the first billing account. Raises ImproperlyConfigured where it is on and an account is
    missing.
    """
    is_on = env_bool("MESHLINE_ACCOUNTING", default=False)
    return {
        "on": is_on,
        "since": _day("MESHLINE_ACCOUNTING_SINCE", is_on),
        "clearing": _by_account("MESHLINE_ACCOUNTING_CLEARING_ACCOUNT", first, is_on),
        "fee": _by_account("MESHLINE_ACCOUNTING_FEE_ACCOUNT", first, is_on),
        "dispute": _by_account("MESHLINE_ACCOUNTING_DISPUTE_ACCOUNT", first, is_on),
        "subsidiary": _by_account("MESHLINE_ACCOUNTING_SUBSIDIARY", first, is_needed=False),
        "refund_method": _by_account("MESHLINE_ACCOUNTING_REFUND_METHOD", first, is_needed=False),
    }


def _day(name: str, is_needed: bool) -> datetime | None:
    text = env_str(name, "")
    if not text and not is_needed:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        rule = "must be the first day that is recorded, as year-month-day, because MESHLINE_ACCOUNTING is on"
        raise refuse(name, rule, "2026-12-01") from None


def _by_account(name: str, first: str, is_needed: bool) -> Mapping[str, str]:
    """One internal id for all billing accounts, or `account=id` pairs; the first account is "" in what is returned."""
    found: dict[str, str] = {}
    for pair in split(env_str(name, "")):
        account, equals, number = (part.strip() for part in pair.rpartition("="))
        account = account if equals else REST
        if not (account == REST or NAME.fullmatch(account)) or not NUMBER.fullmatch(number) or account in found:
            rule = f"must be an internal id of the ERP, or account=id pairs, each billing account once; not {pair!r}"
            raise refuse(name, rule, "218 or default=218,eu=219")
        found[account] = number
    if is_needed and not found:
        raise refuse(name, "is required because MESHLINE_ACCOUNTING is on: the account's internal id in the ERP", "218")
    return {("" if account == first else account): number for account, number in found.items()}
