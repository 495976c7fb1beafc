"""What a smoke run found: steps with their times against what was promised."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

FINE, TROUBLE, NOT_READY = 0, 1, 2
OK, LATE, FAILED, NOT_TRIED = "ok", "late", "failed", "not tried"

Waiter = Callable[[Callable[[], bool], float], bool]  # look until something is true, at most so many seconds


@dataclass(slots=True)
class Step:
    """One step: seconds since the deal was signed or the payment failed, and the seconds promised."""

    name: str
    limit: float
    seconds: float | None = None
    why: str = ""  # what is wrong, or why it was not tried
    skipped: bool = False

    @property
    def state(self) -> str:
        """ok, late, failed or not tried."""
        if self.skipped:
            return NOT_TRIED
        if self.seconds is None or self.why:
            return FAILED
        return OK if self.seconds <= self.limit else LATE


@dataclass(slots=True)
class Part:
    """One synthetic deal or payment with its steps, and the records it leaves behind."""

    name: str
    steps: list[Step] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Result:
    """A whole run. `notes` are things to know, such as what was skipped and why."""

    run: str
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def steps(self) -> list[Step]:
        """All of them."""
        return [step for part in self.parts for step in part.steps]

    @property
    def exit_code(self) -> int:
        """0 all inside their limits, 1 something late or failed, 2 something could not be tried."""
        states = {step.state for step in self.steps()}
        if states & {LATE, FAILED}:
            return TROUBLE
        return NOT_READY if NOT_TRIED in states or not states else FINE

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        parts = [
            {"name": part.name, "left_behind": part.left,
             "steps": [{**asdict(step), "state": step.state} for step in part.steps]}
            for part in self.parts
        ]  # fmt: skip
        return {"run": self.run, "exit": self.exit_code, "parts": parts, "notes": self.notes}

    def lines(self) -> list[str]:
        """For people."""
        said: list[str] = []
        for part in self.parts:
            said.append(part.name)
            for step in part.steps:
                took = "-" if step.seconds is None else f"{step.seconds:.1f} s"
                why = f"  {step.why}" if step.why else ""
                said.append(f"  {step.state:<9} {step.name:<44} {took:>8}  of {step.limit:.0f} s{why}")
        left = [one for part in self.parts for one in part.left]
        if left:
            said += ["Left behind, all marked with the run's name:", *(f"  {one}" for one in left)]
        said += self.notes
        late = sum(1 for step in self.steps() if step.state in (LATE, FAILED))
        tried = sum(1 for step in self.steps() if step.state != NOT_TRIED)
        return [*said, f"Run {self.run}: {tried - late} of {len(self.steps())} steps inside their time."]
