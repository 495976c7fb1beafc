"""Delivers the providers' webhooks: signed afresh for each attempt, retried as theirs are, held back on request."""

import heapq
import http.client
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sync.sandbox.faults import Dial
from sync.sandbox.wire import Json

TIMEOUT_S = 12.0
LOG_LINES = 5000
SETTINGS = frozenset({"url", "secrets", "enabled", "events", "hold", "concurrency", "max_attempts", "options"})


@dataclass
class Target:
    """Where one provider sends its webhooks and what it signs them with."""

    url: str = ""
    secrets: list[str] = field(default_factory=list)
    enabled: bool = True
    events: list[str] = field(default_factory=lambda: ["*"])
    hold: bool = False
    concurrency: int = 1
    max_attempts: int = 9
    options: Json = field(default_factory=dict)

    def wants(self, event_type: str) -> bool:
        """Whether this endpoint is subscribed to the type."""
        return any(w == event_type or (w[-1:] == "*" and event_type.startswith(w[:-1])) for w in self.events)

    def show(self) -> Json:
        """The settings, without the secrets."""
        shown = {name: getattr(self, name) for name in sorted(SETTINGS - {"secrets"})}
        return {**shown, "secrets": len(self.secrets)}


@dataclass
class Parcel:
    """One event on its way, or one of several copies of it."""

    provider: str
    event_id: str
    type: str
    body: bytes
    extra: Json = field(default_factory=dict)
    attempt: int = 0
    forged: bool = False
    fault: str = ""


Sign = Callable[[bytes, list[str], Json], dict[str, str]]
RetryWait = Callable[[int, int | None, str], float | None]
Dress = Callable[[bytes, int], bytes]  # the body as the attempt of this number sends it
Told = Callable[[int, int | None], None]  # which attempt it was, and how it was answered


class Courier:
    """All deliveries of all providers; one worker thread for each target unless it asks for more."""

    def __init__(self, dial: Dial, seed: int) -> None:
        self.dial = dial
        self.targets: dict[str, Target] = {}
        self.signers: dict[str, tuple[Sign, RetryWait]] = {}
        self.habits: dict[str, tuple[Dress | None, Told | None]] = {}
        self.log: deque[Json] = deque(maxlen=LOG_LINES)
        self._held: dict[str, list[Parcel]] = {}
        self._swapped: dict[str, Parcel] = {}
        self._heap: dict[str, list[tuple[float, int, Parcel]]] = {}
        self._workers: dict[str, int] = {}
        self._busy = 0
        self._order = 0
        self._generation = 0
        self._rng = random.Random(f"{seed}:courier")
        self._ready = threading.Condition()

    def attach(
        self,
        provider: str,
        sign: Sign,
        retry_wait: RetryWait,
        defaults: Target,
        *,
        dress: Dress | None = None,
        told: Told | None = None,
    ) -> None:
        """Make a provider known, with the way it signs and retries; what it changes and learns at each attempt."""
        self.signers[provider] = (sign, retry_wait)
        self.habits[provider] = (dress, told)
        self.targets.setdefault(provider, defaults)

    def configure(self, provider: str, settings: Json) -> None:
        """Change settings of one target; options are merged."""
        unknown = set(settings) - SETTINGS
        if provider not in self.signers or unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown)) or provider}; known: {', '.join(sorted(SETTINGS))}")
        target = self.targets[provider]
        merged = {**target.options, **settings.get("options", {})}
        for name, value in settings.items():
            setattr(target, name, merged if name == "options" else value)

    def send(self, parcel: Parcel) -> None:
        """Take an event over from the provider; the fault dial may lose, double, delay or swap it here."""
        target = self.targets[parcel.provider]
        if not (target.url and target.enabled and target.wants(parcel.type)):
            return
        if target.hold:
            with self._ready:
                self._held.setdefault(parcel.provider, []).append(parcel)
            return
        self.post(parcel)

    def post(self, parcel: Parcel) -> None:
        """Queue a delivery as the webhook faults have it."""
        delay_s = 0.0
        swap_ms = 0.0
        for rule in self.dial.hooks(parcel.provider, parcel.type):
            if rule.kind == "hook_drop":
                self._note(parcel, status=None, fault="hook_drop")
                return
            if rule.kind == "hook_delay":
                delay_s += float(rule.options.get("ms", 1000)) / 1000
            if rule.kind == "hook_reorder":
                swap_ms = float(rule.options.get("window_ms", 1000))
            for _ in range(int(rule.options.get("times", 1)) if rule.kind == "hook_duplicate" else 0):
                self._put(_copy(parcel, "hook_duplicate"), delay_s)
            if rule.kind == "hook_bad_signature":
                self._put(_copy(parcel, "hook_bad_signature", forged=True), delay_s)
                if not rule.options.get("extra", True):
                    return
        self._put(parcel, delay_s, swap_s=swap_ms / 1000)

    def release(self, provider: str, order: str | list[str], drop: list[str]) -> list[str]:
        """Let held events go, in the order asked for: as they came, `reverse`, `shuffle`, or by list of ids."""
        with self._ready:
            waiting = [p for p in self._held.pop(provider, []) if p.event_id not in drop]
        if order == "reverse":
            waiting.reverse()
        elif order == "shuffle":
            self._rng.shuffle(waiting)
        elif isinstance(order, list):
            place = {event_id: position for position, event_id in enumerate(order)}
            left = [p for p in waiting if p.event_id not in place]
            with self._ready:
                self._held[provider] = left
            waiting = sorted((p for p in waiting if p.event_id in place), key=lambda p: place[p.event_id])
        for parcel in waiting:
            self.post(parcel)
        return [parcel.event_id for parcel in waiting]

    def pending(self) -> Json:
        """How many deliveries are on their way, and which events are held."""
        with self._ready:
            held = {name: [p.event_id for p in parcels] for name, parcels in self._held.items() if parcels}
            return {"queued": sum(len(heap) for heap in self._heap.values()) + self._busy, "held": held}

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing is on its way; held events do not count."""
        deadline = time.monotonic() + timeout_s
        while self.pending()["queued"]:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def clear(self) -> None:
        """Forget all that is on its way."""
        with self._ready:
            self._held.clear()
            self._swapped.clear()
            self._heap.clear()
            self.log.clear()
            self._generation += 1
            for target in self.targets.values():
                target.hold = False

    def _put(self, parcel: Parcel, delay_s: float, *, swap_s: float = 0.0) -> None:
        with self._ready:
            heap = self._heap.setdefault(parcel.provider, [])
            self._order += 1
            due = time.monotonic() + delay_s
            heapq.heappush(heap, (due + swap_s, self._order, parcel))
            overtaken = None if swap_s else self._swapped.pop(parcel.provider, None)
            if overtaken is not None:
                self._hurry(heap, overtaken, due)
            if swap_s:
                self._swapped[parcel.provider] = parcel
            self._start_workers(parcel.provider)
            self._ready.notify_all()

    def _hurry(self, heap: list[tuple[float, int, Parcel]], parcel: Parcel, due: float) -> None:
        """A swapped event goes right behind the one that overtook it."""
        for position, (_, _, waiting) in enumerate(heap):
            if waiting is parcel:
                self._order += 1
                heap[position] = (due, self._order, parcel)
                heapq.heapify(heap)
                return

    def _start_workers(self, provider: str) -> None:
        for number in range(self._workers.get(provider, 0), max(1, int(self.targets[provider].concurrency))):
            self._workers[provider] = number + 1
            threading.Thread(target=self._run, args=(provider,), name=f"courier-{provider}", daemon=True).start()

    def _run(self, provider: str) -> None:
        line = Line()
        while True:
            parcel, generation = self._take(provider)
            try:
                self._deliver(parcel, line, generation)
            finally:
                with self._ready:
                    self._busy -= 1

    def _take(self, provider: str) -> tuple[Parcel, int]:
        with self._ready:
            while True:
                heap = self._heap.get(provider)
                wait = heap[0][0] - time.monotonic() if heap else None
                if heap and wait is not None and wait <= 0:
                    self._busy += 1
                    return heapq.heappop(heap)[2], self._generation
                self._ready.wait(wait)

    def _deliver(self, parcel: Parcel, line: "Line", generation: int) -> None:
        target = self.targets[parcel.provider]
        sign, retry_wait = self.signers[parcel.provider]
        dress, told = self.habits[parcel.provider]
        body = dress(parcel.body, parcel.attempt + 1) if dress else parcel.body
        line.timeout_s = float(target.options.get("timeout_s", TIMEOUT_S))
        secrets = ["forged-secret"] if parcel.forged else list(target.secrets)
        headers = sign(body, secrets, {**target.options, **parcel.extra, "event_id": parcel.event_id})
        began = time.monotonic()
        status, retry_after = line.post(target.url, body, headers)
        parcel.attempt += 1
        if told and not parcel.forged:
            told(parcel.attempt, status)
        self._note(parcel, status=status, fault=parcel.fault, ms=round((time.monotonic() - began) * 1000, 1))
        if parcel.forged or (status is not None and 200 <= status < 300) or parcel.attempt >= target.max_attempts:
            return
        wait = retry_wait(parcel.attempt, status, retry_after)
        if wait is not None and generation == self._generation:
            self._put(parcel, wait)

    def _note(self, parcel: Parcel, *, status: int | None, fault: str, ms: float = 0.0) -> None:
        entry = {"at": time.time(), "provider": parcel.provider, "event": parcel.event_id, "type": parcel.type}
        self.log.append({**entry, "attempt": parcel.attempt, "status": status, "ms": ms, "fault": fault})


def _copy(parcel: Parcel, fault: str, *, forged: bool = False) -> Parcel:
    return Parcel(parcel.provider, parcel.event_id, parcel.type, parcel.body, dict(parcel.extra), 0, forged, fault)


class Line:
    """One keep-alive connection to whatever address the target has now."""

    def __init__(self) -> None:
        self.timeout_s = TIMEOUT_S
        self._base = ""
        self._connection: http.client.HTTPConnection | None = None

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
        """Status and Retry-After; status None when there was no answer."""
        parts = urlsplit(url)
        for fresh in (False, True):
            reused = self._connection is not None and self._base == parts.netloc and not fresh
            try:
                return self._once(parts.netloc, parts.path or "/", body, headers, reused=reused)
            except (OSError, http.client.HTTPException):
                self.close()
                if not reused:
                    break
        return None, ""

    def _once(self, base: str, path: str, body: bytes, headers: dict[str, str], *, reused: bool) -> tuple[int, str]:
        if not reused or self._connection is None:
            self.close()
            self._connection = http.client.HTTPConnection(base, timeout=self.timeout_s)
            self._base = base
        self._connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        response = self._connection.getresponse()
        response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers.get("Retry-After", "")

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
