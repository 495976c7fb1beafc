"""The provider simulators as a test sees them: a process with books, faults and a reset."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READY = "sandbox ready on "


@dataclass
class Sandbox:
    """A running `python -m sync.sandbox`."""

    process: subprocess.Popen[str]
    url: str

    @classmethod
    def start(cls, *, seed: int) -> "Sandbox":
        """Start the simulators on a free port and wait until they say where."""
        command = [sys.executable, "-m", "sync.sandbox", "--port", "0", "--seed", str(seed)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(READY):
                return cls(process, line.removeprefix(READY).strip())
        raise RuntimeError(f"the simulators ended with {process.wait()} before they were ready")

    def stop(self) -> None:
        """End the process and close its pipe."""
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def reset(self) -> None:
        """Empty books, no faults, the seed's own start, and nobody told until a test aims the webhooks at somebody."""
        self.post("/_reset", {})
        self.post("/_webhooks", {name: {"url": ""} for name in self.get("/_webhooks")["targets"]})
        self.post("/_webhooks/flush", {"timeout_s": 30})  # one may be in the air

    def books(self, provider: str) -> Any:
        """Everything one provider holds, and every write it was sent."""
        return self.get(f"/_books/{provider}")

    def faults(self, dial: dict[str, Any]) -> Any:
        """Turn the fault dial."""
        return self.post("/_faults", dial)

    def get(self, path: str) -> Any:
        """Read one of the simulators' own pages."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send one of the simulators' own pages something."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.url + path, data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            text = answer.read()
        return json.loads(text) if text.strip() else None
