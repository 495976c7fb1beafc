"""`python -m tests.drills.portal`: guessed, revoked, expired and scanned portal links, against a running web server.

10,000 guesses from a thousand addresses of this machine find nothing; what is unknown, revoked or expired is answered
alike, in form and in time; past ten misses a minute everything from an address is throttled; a link outlives scanners.
Exit 0 when all of it holds, 1 otherwise.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.rig import ROOT, Rig, serving
from tests.simulators import Sandbox

GUESSES, DEAD, EACH, A_MINUTE = 10_000, 120, 600, 10
MOST_MS_APART = 0.5  # between the medians of two kinds; the noise of one kind against itself is printed beside it
APPLICATION = ["--interface", "rsgi", "meshline.front:application"]
Seen = tuple[int, str, float]  # status, digest of everything a visitor sees, milliseconds


def post(url: str, body: dict[str, Any]) -> Any:
    """Tell the simulators something."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


def address(number: int) -> str:
    """One of the addresses of this machine."""
    return f"127.{20 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def visits(port: int, source: str, tokens: list[str], method: str = "GET") -> list[Seen]:
    """These tokens, one after the other over one connection from one address."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    seen = []
    for token in tokens:
        began = time.perf_counter()
        wire.request(method, f"/portal/{token}/")
        answer = wire.getresponse()
        body = answer.read()
        ms = (time.perf_counter() - began) * 1000
        told = sorted((name.lower(), value) for name, value in answer.getheaders() if name.lower() != "date")
        seen.append((answer.status, hashlib.sha256(repr((told, body)).encode()).hexdigest()[:12], ms))
    wire.close()
    return seen


class Drill:
    """One run against one server."""

    def __init__(self, port: int, tokens: dict[str, list[str]], rng: random.Random) -> None:
        self.port, self.tokens, self.rng = port, tokens, rng
        self.next_address = 0
        self.failed: list[str] = []

    def source(self) -> str:
        """An address nobody came from yet."""
        self.next_address += 1
        return address(self.next_address)

    def must(self, name: str, holds: bool, words: str) -> None:
        """Print a line, and remember what does not hold."""
        say(f"{'ok   ' if holds else 'WRONG'}  {name}: {words}")
        if not holds:
            self.failed.append(name)

    def alike(self) -> None:
        """Times and forms of the three kinds, in random order, ten from each address."""
        dead = {"revoked": self.tokens["revoked"], "expired": self.tokens["expired"]}
        order = [kind for kind in ("unknown", "unknown again", "revoked", "expired") for _ in range(EACH)]
        self.rng.shuffle(order)
        visits(self.port, self.source(), ["warm"] * A_MINUTE)
        times: dict[str, list[float]] = {}
        forms: Counter[tuple[int, str]] = Counter()
        for start in range(0, len(order), A_MINUTE):
            kinds = order[start : start + A_MINUTE]
            chosen = [self.rng.choice(dead[kind]) if kind in dead else secrets.token_urlsafe(32) for kind in kinds]
            for kind, (status, form, ms) in zip(kinds, visits(self.port, self.source(), chosen), strict=True):
                times.setdefault(kind, []).append(ms)
                forms[status, form] += 1
        for kind, found in sorted(times.items()):
            cuts = statistics.quantiles(found, n=100)
            say(f"       {kind:14} n={len(found)} p10={cuts[9]:.2f} p50={cuts[49]:.2f} p90={cuts[89]:.2f} "
                f"p99={cuts[98]:.2f} ms")  # fmt: skip
        middle = {kind: statistics.median(found) for kind, found in times.items()}
        apart = max(middle.values()) - min(middle.values())
        noise = abs(middle["unknown"] - middle["unknown again"])
        self.must("same form", len(forms) == 1, f"{len(forms)} form(s): {dict(forms)}")
        self.must("same time", apart <= MOST_MS_APART, f"medians {apart:.3f} ms apart at most; noise {noise:.3f} ms")

    def guesses(self) -> None:
        """Many guesses from many addresses, from several at once."""
        sources = [self.source() for _ in range(GUESSES // A_MINUTE)]
        began = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            jobs = [
                pool.submit(visits, self.port, one, [secrets.token_urlsafe(32) for _ in range(A_MINUTE)])
                for one in sources
            ]
            seen = Counter(status for job in jobs for status, _, _ in job.result())
        took = time.perf_counter() - began
        self.must("guesses", seen == {404: GUESSES}, f"{GUESSES:,} guesses, 0 hits wanted: {dict(seen)}, {took:.0f} s")

    def throttle(self) -> None:
        """One address that guesses on, at two web processes at once; then a link that works, from there and not."""
        source, works = self.source(), self.tokens["active"][0]
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(visits, self.port, source, [secrets.token_urlsafe(32) for _ in range(10)])] + [
                pool.submit(visits, self.port, source, [secrets.token_urlsafe(32) for _ in range(10)]) for _ in range(3)
            ]
            seen = Counter(status for job in jobs for status, _, _ in job.result())
        hit, miss = visits(self.port, source, [works, "nobody"])
        elsewhere = visits(self.port, self.source(), [works])[0]
        self.must("throttle", seen == {404: A_MINUTE, 429: 30}, f"40 misses at once from one address: {dict(seen)}")
        self.must("hit and miss throttled alike", hit[:2] == miss[:2] and hit[0] == 429, f"{hit[:2]} and {miss[:2]}")
        self.must("others are not", elsewhere[0] == 303, f"the same link from another address: {elsewhere[0]}")

    def journeys(self, seen: dict[str, Any]) -> None:
        """What the other half found."""
        wanted = {
            "today": 303, "by HEAD": [200], "by a scanner": [303], "different sessions of the scanner": 50,
            "in 30 days": 303, "visits counted": 52, "state": "active", "version": 1, "after revocation": 404,
            "same refusal as an unknown one": True,
        }  # fmt: skip
        for name, value in wanted.items():
            self.must(name, seen[name] == value, str(seen[name]))


def inside(what: str, sandbox: str, environment: dict[str, str]) -> Any:
    """Run the other half, and read its line."""
    command = [sys.executable, "-m", "tests.drills.portal_guests", what, sandbox]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """The whole drill."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.portal", description="Portal links under attack")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sandbox, rig = Sandbox.start(seed=options.seed), Rig("drill_portal")
    os.environ.pop("DEBUG", None)
    more = {"MESHLINE_SANDBOX_URL": sandbox.url, "DJANGO_SETTINGS_MODULE": "meshline.settings",
            "MESHLINE_LOG_LEVEL": "ERROR"}  # fmt: skip
    try:
        rig.manage("migrate")
        environment = rig.environment(**more)
        tokens = inside("prepare", sandbox.url, environment)
        with serving(APPLICATION, environment) as (port, _):
            drill = Drill(port, tokens, random.Random(options.seed))
            drill.alike()
            drill.guesses()
            drill.throttle()
        drill.journeys(inside("travel", sandbox.url, environment))
    finally:
        sandbox.stop()
        rig.close()
    say("all of it holds" if not drill.failed else f"does not hold: {', '.join(drill.failed)}")
    return 1 if drill.failed else 0


if __name__ == "__main__":
    sys.exit(main())
