"""The control paths: books, faults, clock, webhooks, and play."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sync.sandbox.wire import Json, Request
from sync.sandbox.world import PlayError, Simulator

if TYPE_CHECKING:
    from sync.sandbox.server import Sandbox


class ControlError(Exception):
    """A control request that cannot be served; the sentence goes back to whoever asked."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _body(request: Request) -> Json:
    try:
        data = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ControlError(f"the body is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise ControlError("the body must be a JSON object")
    return data


def _simulator(sandbox: "Sandbox", name: str) -> Simulator:
    simulator = sandbox.simulators.get(name)
    if simulator is None:
        raise ControlError(f"no simulator {name!r}; there are {', '.join(sandbox.simulators)}", 404)
    return simulator


def health(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """That it lives, with which seed and which providers."""
    return {"status": "ok", "seed": sandbox.seed, "providers": list(sandbox.simulators), "now": sandbox.clock.now()}


def books(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """`/_books/<provider>[/effects-by-action]`; `?only=writes,requests` and `?since=N` keep large books readable."""
    name, _, part = rest.partition("/")
    simulator = _simulator(sandbox, name)
    wanted = request.query_map()
    with simulator.lock:
        if part == "effects-by-action":
            return simulator.book.by_action()
        if part:
            raise ControlError(f"no book {part!r}; there is effects-by-action", 404)
        since = int(wanted.get("since", "0") or 0)
        book = simulator.book
        only = set(filter(None, wanted.get("only", "").split(",")))
        full: Json = {"provider": name, "seed": sandbox.seed, "requests": dict(book.requests)}
        full |= {"writes": book.writes[since:], "played": book.played}
        if not only or "objects" in only:
            full["objects"] = json.loads(json.dumps(simulator.objects()))
        return {key: value for key, value in full.items() if not only or key in only}


def show_faults(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """All rules in force, with how often each was met and fired."""
    return {"seed": sandbox.seed, "rules": sandbox.dial.show()}


def set_faults(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """Replace all rules, or those of one provider."""
    data = _body(request)
    try:
        sandbox.dial.replace(str(data.get("provider", "*")), data.get("rules", []))
    except (ValueError, TypeError) as error:
        raise ControlError(str(error)) from error
    return show_faults(sandbox, rest, request)


def reset(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """Empty books, no faults, the seed's own start; `"webhooks": true` forgets the webhook targets as well."""
    data = _body(request)
    sandbox.reset(int(data.get("seed", sandbox.seed)), keep_targets=not data.get("webhooks", False))
    return health(sandbox, rest, request)


def move_clock(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """`{"advance_s": N}` moves on, `{"offset_s": N}` sets the distance from real time."""
    data = _body(request)
    sandbox.clock.offset_s = float(data.get("offset_s", sandbox.clock.offset_s)) + float(data.get("advance_s", 0))
    return {"now": sandbox.clock.now(), "offset_s": sandbox.clock.offset_s}


def show_webhooks(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """Targets and what is on its way; `/_webhooks/log` lists the deliveries made."""
    if rest == "log":
        wanted = request.query_map().get("provider")
        return {"deliveries": [entry for entry in list(sandbox.courier.log) if wanted in (None, entry["provider"])]}
    targets = {name: target.show() for name, target in sandbox.courier.targets.items()}
    return {"targets": targets, **sandbox.courier.pending()}


def set_webhooks(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """Set targets; `release` lets held events go, `flush` waits until all are delivered."""
    data = _body(request)
    if rest == "release":
        name = _simulator(sandbox, str(data.get("provider"))).name
        released = sandbox.courier.release(name, data.get("order", "kept"), data.get("drop", []))
        if data.get("stop_holding", True):
            sandbox.courier.configure(name, {"hold": False})
        return {"released": released}
    if rest == "flush":
        return {"empty": sandbox.courier.flush(float(data.get("timeout_s", 10)))}
    if rest:
        raise ControlError(f"no /_webhooks/{rest}; there are release, flush and log", 404)
    try:
        for provider, settings in data.items():
            sandbox.courier.configure(provider, settings)
    except (ValueError, TypeError) as error:
        raise ControlError(str(error)) from error
    return show_webhooks(sandbox, "", request)


def play(sandbox: "Sandbox", rest: str, request: Request) -> Any:
    """`/_play/<provider>/<verb>`; without a verb it names the verbs there are."""
    name, _, verb = rest.partition("/")
    simulator = _simulator(sandbox, name)
    if not verb:
        return {"verbs": sorted(simulator.verbs)}
    try:
        return simulator.play(verb, _body(request))
    except PlayError as error:
        raise ControlError(str(error)) from error


CONTROL: dict[tuple[str, str], Callable[["Sandbox", str, Request], Any]] = {
    ("GET", "_health"): health,
    ("GET", "_books"): books,
    ("GET", "_faults"): show_faults,
    ("POST", "_faults"): set_faults,
    ("POST", "_reset"): reset,
    ("POST", "_clock"): move_clock,
    ("GET", "_webhooks"): show_webhooks,
    ("POST", "_webhooks"): set_webhooks,
    ("POST", "_play"): play,
}
