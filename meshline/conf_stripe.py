"""Further accounts of the billing system: one set of variables each, with the account's name at their end."""

import re
from typing import Any

from meshline.env import env_secret, env_str, refuse, split

VARIABLE = "MESHLINE_STRIPE_ACCOUNTS"
NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
ACCOUNT_ID = re.compile(r"acct_[A-Za-z0-9]{1,58}")
EXAMPLE = "eu=acct_1Abc,uk"
MOST = 20


def accounts(first_key: str, first_name: str) -> dict[str, dict[str, Any]]:
    """Name -> its key, its own id and its portal settings; the first account is not among them.

    `MESHLINE_STRIPE_ACCOUNTS=eu=acct_1Abc,uk` wants MESHLINE_STRIPE_API_KEY_EU and .._UK, or their _FILE. Raises
    ImproperlyConfigured, which names the variable that is wrong.
    """
    found: dict[str, dict[str, Any]] = {}
    keys = {first_key: "MESHLINE_STRIPE_API_KEY"} if first_key else {}
    for pair in split(env_str(VARIABLE, "")):
        name, _, account_id = (part.strip() for part in pair.partition("="))
        if not NAME.fullmatch(name) or (account_id and not ACCOUNT_ID.fullmatch(account_id)):
            raise refuse(VARIABLE, f"must be names in small letters, each with its acct_ id or without; not {pair!r}",
                         EXAMPLE)  # fmt: skip
        if name in found or name == first_name or len(found) == MOST:
            raise refuse(VARIABLE, f"must name each further account once, at most {MOST}; {name!r} is one too many",
                         EXAMPLE)  # fmt: skip
        variable = variable_of("MESHLINE_STRIPE_API_KEY", name)
        key = env_secret(variable, example="rk_live_...")
        if key in keys:
            raise refuse(variable, f"must be another key than {keys[key]}", "rk_live_...")
        keys[key] = variable
        found[name] = {
            "api_key": key, "id": account_id,
            "configuration": _id(variable_of("MESHLINE_PORTAL_CONFIGURATION", name), "bpc_"),
            "check_customer": _id(variable_of("MESHLINE_PORTAL_CHECK_CUSTOMER", name), "cus_"),
        }  # fmt: skip
    return found


def variable_of(variable: str, account: str) -> str:
    """The variable of a further account."""
    return f"{variable}_{account.upper()}" if account else variable


def _id(name: str, prefix: str) -> str:
    value = env_str(name, "", max_length=255)
    if value and not re.fullmatch(rf"{prefix}[A-Za-z0-9_]+", value):
        raise refuse(name, f"must be an id that begins with {prefix}, not {value!r}", f"{prefix}1Abc")
    return value
