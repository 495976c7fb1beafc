"""Who gets the weekly report by mail."""

from meshline.conf_mail import ADDRESS
from meshline.env import env_str, refuse, split

NAME, MOST = "MESHLINE_REPORT_TO", 20


def read() -> list[str]:
    """Addresses, each once; [] where nobody is named. Raises ImproperlyConfigured with the variable and its rule."""
    found = list(dict.fromkeys(split(env_str(NAME, ""))))
    for one in found:
        if not ADDRESS.fullmatch(one):
            raise refuse(NAME, f"must be plain addresses without names, not {one!r}", "ops@example.com,cfo@example.com")
    if len(found) > MOST:
        raise refuse(NAME, f"has at most {MOST} addresses, this has {len(found)}", "ops@example.com,cfo@example.com")
    return found
