"""Which of the systems a run needs are live, and which are not there."""

from django.conf import settings

from sync.modes import is_test


def live(names: tuple[str, ...]) -> list[str]:
    """Those of these configured systems that are not test ones."""
    configured = settings.MESHLINE_PROVIDERS
    return [name for name in names if name in configured and not is_test(name, configured[name])]


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of these systems that have no address or are not configured at all."""
    configured = settings.MESHLINE_PROVIDERS
    return [name for name in names if not configured.get(name, {}).get("base_url")]
