"""The settings of django-q2, which is only the engine: the tables are the queue."""

from typing import Any

from meshline.env import env_int

# The longest a task waits in memory behind another one: a full box of a drain, or a job's own limit of a minute.
LONGEST_WAIT_SECONDS = 60
# After its timeout a task has this long before the guard ends its worker.
TIMEOUT_BUFFER_SECONDS = 3


def cluster(*, drain_workers: int) -> dict[str, Any]:
    """Two clusters: residents that drain, and everything else, which must never wait behind a resident."""
    workers = env_int("MESHLINE_DEFAULT_WORKERS", 2, low=1, high=32)
    return {
        "name": "meshline",  # also the signing salt: the same everywhere in one environment
        "orm": "default",  # never another alias: its scheduler and broker share the transaction
        "workers": workers,
        "queue_limit": workers,  # nothing ages in memory
        "bulk": 1,
        "poll": 0.5,
        "timeout": env_int("MESHLINE_TASK_TIMEOUT_SECONDS", 120, low=60, high=3600),
        "retry": env_int("MESHLINE_TASK_RETRY_SECONDS", 300, low=60, high=86400),
        "max_attempts": 1,
        "ack_failures": True,  # retries are ours, not the queue's
        "save_limit": -1,  # saving successes locks all earlier ones; failures are kept and pruned
        "catch_up": False,
        "recycle": 200,
        "max_rss": 400_000,
        "daemonize_workers": True,
        "guard_cycle": 1,
        "log_level": "WARNING",
        "ALT_CLUSTERS": {
            "drain": {
                "workers": drain_workers,
                "queue_limit": drain_workers,
                "timeout": 90,
                "retry": 180,
                "recycle": 100,
                "scheduler": False,
            }
        },
    }


def too_small_margins(conf: dict[str, Any]) -> list[str]:
    """A task handed out again while it still runs would run twice at the same time."""
    found = []
    for name, part in {"default": conf, **conf["ALT_CLUSTERS"]}.items():
        least = part["timeout"] + TIMEOUT_BUFFER_SECONDS + LONGEST_WAIT_SECONDS
        if part["retry"] <= least:
            reason = f"timeout {part['timeout']} + {TIMEOUT_BUFFER_SECONDS} + longest wait {LONGEST_WAIT_SECONDS}"
            found.append(f"must be above {least} s for the {name} cluster ({reason}), not {part['retry']}")
    return found
