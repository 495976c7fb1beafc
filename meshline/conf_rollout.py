"""Settings of the way up: how long, how many and how good an automation has to be before it is trusted further."""

from meshline.env import env_int


def read(*, dev: bool) -> dict[str, int]:
    """The settings by name, shares in thousandths; a development machine may shorten what elsewhere has a floor.

    Raises ImproperlyConfigured with the variable and its rule.
    """
    days, sample = (0, 1) if dev else (1, 50)
    return {
        "shadow_days": env_int("MESHLINE_SHADOW_DAYS", 7, low=7 * days, high=90),
        "suggest_days": env_int("MESHLINE_SUGGEST_DAYS", 14, low=14 * days, high=180),
        "step_days": env_int("MESHLINE_STEP_DAYS", 1, low=days, high=90),
        "suggestions": env_int("MESHLINE_REVIEWED_SUGGESTIONS", 100, low=100 * days, high=100_000),
        "previews": env_int("MESHLINE_SIGNED_PREVIEWS", 100, low=100 * days, high=100_000),
        "sample": env_int("MESHLINE_CORRECTION_SAMPLE", 100, low=sample, high=100_000),
        "corrections_permille": env_int("MESHLINE_CORRECTIONS_PERMILLE", 10, low=1, high=50),
        "reconciled_hours": env_int("MESHLINE_RECONCILED_HOURS", 24, low=1, high=24),
        "override_factor": env_int("MESHLINE_OVERRIDE_FACTOR", 2, low=2, high=20),
        "override_sample": env_int("MESHLINE_OVERRIDE_SAMPLE", 20, low=5, high=10_000),
        "stale_minutes": env_int("MESHLINE_STALE_MINUTES", 60, low=1 if dev else 30, high=1440),
    }
