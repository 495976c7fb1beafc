"""A fresh adapter at the simulated company, for tests that call it."""

from datetime import UTC, datetime

import pytest

from sync.providers.pipedrive import Pipedrive
from sync.wiretypes import Exchange

ACTION = "0b9d4a6e-0000-4000-8000-000000000001"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Crm:
    """A fresh adapter at a fresh company, and every exchange it made."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.adapter = Pipedrive()
        self.exchanges = []

    def play(self, verb, **params):
        return self.sandbox.post(f"/_play/pipedrive/{verb}", params)

    def fault(self, **rule):
        self.sandbox.faults({"provider": "pipedrive", "rules": [rule] if rule else []})

    def deal(self, **params):
        return str(self.play("create_deal", **params)["deal"])

    def read(self, deal_id):
        return self.adapter.deal(deal_id, self.exchanges)

    def fields(self):
        return self.adapter.fields("deal", self.exchanges)

    def change(self, deal_id, values, **labels):
        request = self.adapter.change_deal(self.read(deal_id), self.fields(), values, action_id=ACTION, **labels)
        return self.perform(request)

    def perform(self, request):
        return self.adapter.perform(request, lambda: None, self.exchanges)

    def books(self):
        return self.sandbox.books("pipedrive")


def exchanged(method, path, status, body=""):
    return Exchange(
        provider="pipedrive", method=method, path=path, is_write=method != "GET", began_at=LONG_AGO, ms=1,
        status=status, error="", request_body=body, response_body="", request_id="",
    )  # fmt: skip


@pytest.fixture
def crm(sandbox):
    return Crm(sandbox)


@pytest.fixture
def oauth(crm, settings):
    """The same company by OAuth."""
    own = {**settings.MESHLINE_PROVIDERS["pipedrive"], "auth": "oauth2", "api_token": ""}
    own["oauth_url"] = own["base_url"]
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "pipedrive": own}
    return crm
