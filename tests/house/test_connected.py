"""A system that an installation may do without is connected by its credentials; the others always are."""

import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from meshline import conf_providers

ALWAYS = {"stripe", "netsuite", "zendesk"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(
            tuple(f"MESHLINE_{provider}_" for provider in ("PIPEDRIVE", "SLACK", *map(str.upper, ALWAYS)))
        ):
            monkeypatch.delenv(name)


def providers():
    return conf_providers.read({"MESHLINE_STRIPE_BASE_URL": "https://api.stripe.com"}, dev=False, allow_loopback=False)


def test_without_credentials_only_the_others_are_there(monkeypatch):
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_COMPANY", "acme")  # an address is no credential
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_API_TOKEN", " ")

    assert set(providers()) == ALWAYS


@pytest.mark.parametrize("name", conf_providers.CREDENTIALS["pipedrive"])
@pytest.mark.parametrize("in_file", [False, True])
def test_any_credential_connects(monkeypatch, tmp_path, name, in_file):
    (tmp_path / "secret").write_text("x:y")
    monkeypatch.setenv(f"{name}_FILE" if in_file else name, str(tmp_path / "secret") if in_file else "x:y")

    assert set(providers()) == ALWAYS | {"pipedrive"}


def test_its_address_follows_from_the_company(monkeypatch):
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_API_TOKEN", "t")
    for_all = providers()["pipedrive"]["base_url"]
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_COMPANY", "acme")
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_SIGNED_STAGE_ID", "428")
    found = providers()["pipedrive"]

    assert (for_all, found["base_url"]) == ("https://api.pipedrive.com", "https://acme.pipedrive.com")
    assert (found["auth"], found["signed_stage_id"], found["reset_zone"]) == ("token", "428", "UTC")
    assert found["deal_fields"]["external_id"] == "Meshline external id"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGNED_STAGE_ID", "Contract Signed"), ("USER_ID", "-1"), ("RESET_ZONE", "Mars/Base"), ("AUTH", "basic"),
        ("BASE_URL", "http://acme.pipedrive.com"), ("OAUTH_URL", "ftp://x"),
    ],
)  # fmt: skip
def test_nonsense_is_no_start(monkeypatch, name, value):
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_API_TOKEN", "t")
    monkeypatch.setenv(f"MESHLINE_PIPEDRIVE_{name}", value)

    with pytest.raises(ImproperlyConfigured, match=f"MESHLINE_PIPEDRIVE_{name}"):
        providers()


def test_its_address_may_not_be_this_machine(monkeypatch):
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_API_TOKEN", "t")
    monkeypatch.setenv("MESHLINE_PIPEDRIVE_BASE_URL", "https://localhost")

    with pytest.raises(ImproperlyConfigured, match="MESHLINE_PIPEDRIVE_BASE_URL points at"):
        providers()
