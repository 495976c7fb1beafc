"""Errors of the sync as records of their own: opened once for a trace key and step, settled by a later run."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gates.rules.customer_sync import REASONS, ErrorClass
from ledger import book, clock, sets
from sync.errors import AuthError, ConflictError, PermanentError, ProviderError, UnreadableAnswer

FLOW = "customer_sync"
ACTOR = "system:customer_sync"
TYPES = {
    "trace_key": "text", "step": "text", "state": "text", "state_version": "int", "error_class": "text", "code": "text",
    "sentence": "text", "run_id": "bigint", "outcome_id": "bigint", "customer_id": "bigint", "internal_id": "bigint",
    "candidates": "jsonb", "source_version": "text", "resolution": "text", "created_at": "timestamptz",
    "exchange": "jsonb",
}  # fmt: skip
STEPS = {
    "billing_customer.create": "create",
    "billing_customer.update": "update",
    "billing_customer.link": "write_back",
}
LOOKUP = ("lookup",)
EVERY_STEP = ("lookup", "create", "update", "write_back")  # fmt: skip
_WORDS: tuple[tuple[tuple[str, ...], ErrorClass], ...] = (
    (("429", "rate_limit", "lock_timeout", "CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED", "busy"),
     ErrorClass.RATE_LIMIT),
    (("401", "403", "AuthError", "INVALID_LOGIN", "missing_permission", "INSUFFICIENT_PERMISSION", "field_owned"),
     ErrorClass.CONNECTION),
    (("resource_missing", "gone", "NONEXISTENT_ID", "404", "unlinked"), ErrorClass.MISSING),
    (("exists", "duplicate_name"), ErrorClass.DUPLICATE),
    (("unreadable", "drift"), ErrorClass.PARSE),
    (("timeout", "deadline", "connection", "tls", "retries_over", "UNEXPECTED_ERROR", "not_shown", "409", "500", "502",
      "503", "504", "api_error", "facts_unreadable", "outcome_unknown"), ErrorClass.INTERMITTENT),
)  # fmt: skip
_CLASS_OF = {word: kind for words, kind in _WORDS for word in words}


def class_of(code: str) -> ErrorClass:
    """The sort of trouble behind a code: ours, a provider's, or a status."""
    return REASONS[code][0] if code in REASONS else _CLASS_OF.get(code, ErrorClass.VALUE)


def of_error(error: ProviderError) -> tuple[ErrorClass, str]:
    """Class and code of a read that failed."""
    code = (error.code or (str(error.status) if error.status else type(error).__name__))[:60]
    if error.status == 429:
        return ErrorClass.RATE_LIMIT, code
    if isinstance(error, AuthError):
        return ErrorClass.CONNECTION, code
    if isinstance(error, UnreadableAnswer) or code in ("unreadable", "drift"):
        return ErrorClass.PARSE, code
    if isinstance(error, PermanentError | ConflictError):
        return class_of(code), code
    return ErrorClass.INTERMITTENT, code


def exchange_of(error: ProviderError) -> dict[str, Any] | None:
    """Which exchange a failed read was: enough to find it among the attempts, and nothing of what was in it."""
    found = error.exchange
    if found is None:
        return None
    return {
        "provider": found.provider, "method": found.method, "status": found.status, "request_id": found.request_id,
        "began_at": found.began_at.isoformat(),
    }  # fmt: skip


def trace_key(account: str, internal_id: int | str) -> str:
    """What an error and the run that settles it have in common."""
    return f"{FLOW}:{account}:customer:{internal_id}"


def open_errors(rows: Sequence[Mapping[str, Any]]) -> None:
    """Open these in the caller's transaction; of one trace key and step the newest stays open, the older is settled.

    What a person said to ignore stays ignored while the code and the source are those that were ignored.
    """
    newest = {(row["trace_key"], row["step"]): row for row in rows}
    newest = _without_ignored(newest) if newest else newest
    if not newest:
        return
    _resolve(
        """select e.id, e.state, e.state_version, e.trace_key from sync_syncerror e
             join unnest(%(key)b::text[], %(step)b::text[]) as v(key, step) on e.trace_key = v.key and e.step = v.step
            where e.state in ('open', 'retrying') for update of e""",
        {"key": [key for key, _ in newest], "step": [step for _, step in newest]},
    )
    now = clock.now()
    made = [
        {
            "state": "open",
            "state_version": 0,
            "resolution": "",
            "created_at": now,
            "candidates": [],
            "exchange": None,
            **row,
        }
        for row in newest.values()
    ]
    stored = sets.insert("sync_syncerror", TYPES, made, "returning id, trace_key")
    book.write_rows([_row(found[0], found[1], "open", "open", "open", 0) for found in stored])


def settle(rows: Sequence[tuple[str, str, Collection[str]]]) -> None:
    """Rows (trace key, version of the source, steps that went well): their open errors of these steps close.

    One that was about a value stays open while the source is the one it was about.
    """
    if rows:
        _resolve(
            """select e.id, e.state, e.state_version, e.trace_key from sync_syncerror e
                 join unnest(%(key)b::text[], %(source)b::text[], %(step)b::text[]) as v(key, source, step)
                   on e.trace_key = v.key and e.step = v.step
                where e.state in ('open', 'retrying')
                  and (e.error_class <> 'value' or e.source_version = '' or v.source > e.source_version)
                for update of e""",
            sets.columns_of(
                [{"key": key, "source": source, "step": step} for key, source, steps in rows for step in steps],
                {"key": "text", "source": "text", "step": "text"},
            ),
        )


def settle_configuration(run_id: int, account: str, *, is_full: bool) -> None:
    """A run is over: faults of the set-up that it did not meet are mended; a short run tells only of what it retried.

    In the caller's transaction.
    """
    _resolve(
        """select e.id, e.state, e.state_version, e.trace_key from sync_syncerror e
            where e.state in ('open', 'retrying') and e.trace_key like %(like)b::text and e.run_id < %(run)b
              and (%(full)b or e.retried_in_id = %(run)b)
              and not exists (select from sync_syncoutcome o where o.run_id = %(run)b and o.code = e.code)
            for update of e""",
        {"like": f"{FLOW}:{account}:configuration:%", "run": run_id, "full": is_full},
    )


def give_back(run_id: int) -> None:
    """A run is over: what was retried by it and is not settled is open again. In the caller's transaction."""
    found = sets.run(
        """update sync_syncerror set state = 'open', state_version = state_version + 1
            where state = 'retrying' and retried_in_id = %(run)b returning id, trace_key, state_version""",
        {"run": run_id},
    )
    book.write_rows([_row(key, trace, "reopen", "retrying", "open", version) for key, trace, version in found])


def _without_ignored(newest: dict[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = sets.run(
        """select distinct on (e.trace_key, e.step) e.trace_key, e.step, e.state, e.code, e.source_version
             from sync_syncerror e join unnest(%(key)b::text[], %(step)b::text[]) as v(key, step)
               on e.trace_key = v.key and e.step = v.step order by e.trace_key, e.step, e.id desc""",
        {"key": [key for key, _ in newest], "step": [step for _, step in newest]},
    )
    ignored = {(row[0], row[1]): (row[3], row[4]) for row in found if row[2] == "ignored"}
    return {at: row for at, row in newest.items() if ignored.get(at) != (row["code"], row.get("source_version", ""))}


def _resolve(select: str, params: Mapping[str, Any]) -> None:
    found = sets.run(select, params)
    if not found:
        return
    sets.run(
        """update sync_syncerror set state = 'resolved', state_version = state_version + 1, resolution = 'auto',
                  resolved_at = %(now)b where id = any(%(ids)b::bigint[])""",
        {"now": clock.now(), "ids": [row[0] for row in found]},
    )
    book.write_rows([_row(row[0], row[3], "resolve", row[1], "resolved", row[2] + 1) for row in found])


def _row(key: int, trace: str, decision: str, prior: str, post: str, version: int) -> dict[str, Any]:
    return {
        "subject_kind": "sync_error", "subject_id": str(key), "decision": decision, "actor": ACTOR,
        "prior_state": prior, "post_state": post, "state_version": version, "outcome": post,
        "inputs": {"trace_key": trace},
    }  # fmt: skip
