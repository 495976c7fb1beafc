"""Test or live: one answer for header, links, connection cards and smoke."""

import pytest

from sync.modes import is_test


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("stripe", {"base_url": "http://127.0.0.1:8200/stripe", "api_key": "sk_live_1"}, True),
        ("stripe", {"base_url": "https://api.stripe.com", "api_key": "rk_test_1"}, True),
        ("stripe", {"base_url": "https://api.stripe.com", "api_key": "rk_live_51Habcdef_test_1"}, False),
        ("netsuite", {"base_url": "https://x", "account": "1234567-sb1"}, True),
        ("netsuite", {"base_url": "https://x", "account": "TSTDRV1"}, True),
        ("netsuite", {"base_url": "https://x", "account": "1234567"}, False),
        ("pipedrive", {"base_url": "https://acme-sandbox.pipedrive.com"}, True),
        ("pipedrive", {"base_url": "https://acme.pipedrive.com"}, False),
        ("mail", {"base_url": "smtp://localhost:25"}, True),
        ("mail", {}, False),
    ],
)
def test_by_address_key_or_account(name, config, said):
    assert is_test(name, config) is said
