"""Asynchronous jobs: keys that refuse a second submission, tasks, results, and jobs that get lost or refused."""

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sync.sandbox.faults import Rule
from sync.sandbox.netsuite.errors import Refused, not_found, user_error
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Clock

BASE = "/services/rest/async/v1/job"
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


@dataclass
class Job:
    """One submitted call with one task."""

    id: str
    key: str
    began_at: str
    ended_at: str = ""
    result: Reply | None = None
    is_lost: bool = False


class Jobs:
    """All jobs of the account."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.delay_s = 0.3
        self.share = 0.0
        self.rng = random.Random("jobs")
        self.by_id: dict[str, Job] = {}
        self._by_key: dict[str, str] = {}

    def takes(self, request: Request) -> bool:
        """Whether a call becomes a job: it asked for one, or it is one of the `share` of writes made into jobs."""
        if "respond-async" in request.headers.get("prefer", ""):
            return True
        return request.method in ("PUT", "PATCH", "POST") and self.rng.random() < self.share

    def submit(self, request: Request, fault: Rule | None, work: Callable[[], Reply]) -> Reply:
        """Accept a call for later; the fault dial may refuse, lose, stall or slow the job."""
        key = request.headers.get("x-netsuite-idempotency-key", "")
        if key and not UUID.match(key):
            detail = "The idempotency key must be a UUID."
            raise Refused(400, "INVALID_REQUEST", detail, header="X-NetSuite-Idempotency-Key")
        if key in self._by_key:
            raise _duplicate(f"{BASE}/{self._by_key[key]}")
        job = Job(str(123456 + len(self.by_id)), key, self.clock.iso())
        self.by_id[job.id] = job
        if key:
            self._by_key[key] = job.id
        self._start(job, fault, work)
        return Reply(202, b"", {"Location": f"{BASE}/{job.id}", "Preference-Applied": "respond-async"})

    def _start(self, job: Job, fault: Rule | None, work: Callable[[], Reply]) -> None:
        kind = fault.kind if fault else ""
        options = fault.options if fault else {}
        delay_s = float(options.get("ms", 5000)) / 1000 if kind == "job_slow" else self.delay_s
        job.is_lost = kind == "job_lost"
        if kind == "job_stuck" or (kind == "job_lost" and not options.get("effect")):
            return
        if kind == "job_rejected":
            refusal = user_error(str(options.get("reason", "This transaction falls in a closed posting period.")))
            work = refusal.reply

        def finish() -> None:
            job.result = work()
            job.ended_at = self.clock.iso()

        timer = threading.Timer(delay_s, finish)
        timer.daemon = True
        timer.start()

    def show(self, parts: list[str]) -> Reply:
        """`<job>`, `<job>/task`, `<job>/task/1` and `<job>/task/1/result`."""
        job = self.by_id.get(parts[0])
        if job is None or job.is_lost or parts[1:2] not in ([], ["task"]) or parts[2:3] not in ([], ["1"]):
            raise not_found(f"job {'/'.join(parts)}")
        here = f"{BASE}/{job.id}"
        state = {"completed": job.result is not None, "progress": self._progress(job)}
        if len(parts) == 1:
            task = {"links": [{"rel": "self", "href": f"{here}/task"}]}
            return json_reply(200, {"id": job.id, **state, "task": task, "links": [{"rel": "self", "href": here}]})
        if len(parts) == 2:
            items = [{"links": [{"rel": "self", "href": f"{here}/task/1"}]}]
            return json_reply(200, {"count": 1, "items": items, "links": [{"rel": "self", "href": f"{here}/task"}]})
        if len(parts) == 3:
            times = {"startTime": job.began_at, **({"endTime": job.ended_at} if job.ended_at else {})}
            links = [{"rel": "related", "href": f"{here}/task/1/result"}]
            return json_reply(200, {"id": "1", **state, **times, "links": links})
        if job.result is None:
            raise not_found(f"result of job {job.id}, which is still running")
        return Reply(job.result.status, job.result.body, dict(job.result.headers))

    def _progress(self, job: Job) -> str:
        if job.result is None:
            return "pending"
        return "succeeded" if job.result.status < 300 else "failed"

    def rows(self) -> dict[str, Json]:
        """All jobs for the books."""
        return {
            job.id: {"key": job.key, "completed": job.result is not None, "lost": job.is_lost,
                     "status": job.result.status if job.result else None}
            for job in list(self.by_id.values())
        }  # fmt: skip


def _duplicate(location: str) -> Refused:
    detail = "The idempotency key was used before. See the Location header for the first request."
    return Refused(400, "IDEMPOTENCY_ERROR", detail, title="Conflict", headers={"Location": location})
