"""One smoke run: look whether it may and can begin, play its parts, and say what it found."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync import residents
from sync.smoke import modes, onboarding, payment
from sync.smoke.calls import Calls, NotReady
from sync.smoke.fixtures import PLAIN, VARIANTS
from sync.smoke.result import Part, Result, Step, Waiter

NEEDS = {"deal": ("pipedrive", "netsuite"), "payment": ("stripe", "netsuite")}
PATIENCE = 180.0
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to be tried. `only` is deal, payment or "" for both."""

    only: str = ""
    fixtures: bool = False
    live_agreed: bool = False
    patience: float = PATIENCE


def play(asked: Asked, wait: Waiter | None = None) -> Result:
    """Play what was asked for. Raises NotReady before anything is made; later ones are notes of the result."""
    parts = [part for part in NEEDS if asked.only in ("", part)]
    check(asked, parts)
    result, calls = Result(secrets.token_hex(3)), Calls()
    waiter = wait or patient
    for part in parts:
        try:
            if part == "deal":
                variants = VARIANTS if asked.fixtures else (PLAIN,)
                found, notes = onboarding.play(calls, result.run, variants, waiter, asked.patience)
                result.parts += found
                result.notes += notes
            elif modes.live(("stripe",)):
                result.notes.append("SKIPPED: the failed payment. Stripe is in live mode, and its test cards are not.")
            else:
                result.parts.append(payment.play(calls, result.run, waiter, asked.patience))
        except NotReady as error:
            result.notes.append(f"NOT TRIED: {part}: {error}")
            result.parts.append(_untried(part, str(error)))
    return result


def check(asked: Asked, parts: list[str]) -> None:
    """Raises NotReady with what to do: a system that is not configured, a live one nobody agreed to."""
    for part in parts:
        lacks = modes.missing(NEEDS[part])
        if lacks:
            raise NotReady(f"{' and '.join(lacks)} is not configured, so the {part} cannot be tried; see .env.example")
    live = [name for part in parts for name in modes.live(NEEDS[part]) if name != "stripe"]
    if live and not asked.live_agreed:
        names = ", ".join(dict.fromkeys(live))
        raise NotReady(f"{names}: in live mode; synthetic records would stay there. Agree with --yes-live.")


def worker_missing() -> bool:
    """Whether nobody would handle what comes in."""
    return residents.live() == 0


def patient(is_true: Callable[[], bool], seconds: float) -> bool:
    """Look until something is true; False when it never was."""
    ends = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() >= ends:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _untried(name: str, why: str) -> Part:
    part = Part("Signed deal" if name == "deal" else "Failed payment")
    part.steps.append(Step("begun", 0.0, why=why, skipped=True))
    return part
