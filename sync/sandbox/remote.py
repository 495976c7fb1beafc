"""A client of the simulators' control paths: how a story, told from another process, makes things happen outside."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from sync.sandbox import keys
from sync.sandbox.wire import Json

TIMEOUT_S = 15.0
LOOK_S = 0.05
SECRETS = {
    "stripe": keys.STRIPE_WEBHOOK_SECRET,
    "netsuite": keys.NETSUITE_WEBHOOK_SECRET,
    "zendesk": keys.ZENDESK_WEBHOOK_SECRET,
    "pipedrive": keys.PIPEDRIVE_WEBHOOK_SECRET,
    "slack": keys.SLACK_SIGNING_SECRET,
    "pagerduty": keys.PAGERDUTY_WEBHOOK_SECRET,
}
PATHS = {"slack": "slack/interactions"}  # where it is not the provider's name


class RemoteError(Exception):
    """The simulators said no, or nothing; the message holds their own words."""


class Remote:
    """Running simulators, by their address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Json:
        """Read one control path."""
        return self._call(path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """Send one control path something."""
        return self._call(path, json.dumps(body).encode())

    def play(self, provider: str, verb: str, **params: object) -> Json:
        """Make something happen at a provider."""
        return self.post(f"/_play/{provider}/{verb}", params)

    def faults(self, provider: str, *rules: Json) -> None:
        """Put these rules in the place of a provider's rules; none: it behaves."""
        self.post("/_faults", {"provider": provider, "rules": list(rules)})

    def aim(self, server_url: str) -> None:
        """Have every provider send its webhooks to this server, signed with its own secret."""
        for name, secret in SECRETS.items():
            self.post(
                "/_webhooks", {name: {"url": f"{server_url}/webhooks/{PATHS.get(name, name)}/", "secrets": [secret]}}
            )

    def deliveries(self) -> list[Json]:
        """Every delivery attempt that was made, oldest first."""
        found: list[Json] = self.get("/_webhooks/log")["deliveries"]
        return found

    def waiting(self) -> int:
        """Deliveries on their way."""
        return int(self.get("/_webhooks")["queued"])

    def effects(self, provider: str) -> dict[str, int]:
        """How many effects each action of ours had in a provider's books."""
        found = self.get(f"/_books/{provider}/effects-by-action")
        return {action: int(count) for action, count in found.items()}

    def markers(self) -> list[str]:
        """The marker of each message of ours in the chat, as often as it stands there."""
        said = self.get("/_books/slack?only=objects")["objects"]["messages"]
        found = [
            one.get("metadata", {}).get("event_payload", {}).get("marker") for rows in said.values() for one in rows
        ]
        return [str(one) for one in found if one]

    def wait(self, seconds: float) -> bool:
        """Whether they answer within this time."""
        ends = time.monotonic() + seconds
        while True:
            try:
                return self.get("/_health")["status"] == "ok"
            except RemoteError:
                if time.monotonic() > ends:
                    return False
                time.sleep(LOOK_S)

    def _call(self, path: str, body: bytes | None) -> Json:
        request = urllib.request.Request(  # noqa: S310 - an address of the own machine
            self.url + path, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
                answered: Json = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace")
            raise RemoteError(f"{path}: {error.code} {said[:300]}") from error
        except (OSError, ValueError) as error:
            raise RemoteError(f"{path}: {error}") from error
        return answered
