"""Throw-away credentials of the simulators: what the product is configured with to talk to them. None is a secret."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

STRIPE_API_KEY = "sk_test_meshline_sandbox"
STRIPE_WEBHOOK_SECRET = "whsec_meshline_sandbox_0001"  # noqa: S105
# Further accounts: name -> its key and the secret of its webhook endpoint.
STRIPE_ACCOUNTS = {
    "eu": ("sk_test_meshline_sandbox_eu", "whsec_meshline_sandbox_eu_0001"),
    "uk": ("sk_test_meshline_sandbox_uk", "whsec_meshline_sandbox_uk_0001"),
}

NETSUITE_ACCOUNT = "1234567_SB1"
NETSUITE_CLIENT_ID = "0123456789abcdef" * 4
NETSUITE_CERTIFICATE_ID = "test-certificate-id-0001"
NETSUITE_CONSUMER_KEY = "ck_meshline_0001"
NETSUITE_CONSUMER_SECRET = "cs_meshline_0001"  # noqa: S105
NETSUITE_TOKEN_ID = "tk_meshline_0001"  # noqa: S105
NETSUITE_TOKEN_SECRET = "ts_meshline_0001"  # noqa: S105
NETSUITE_WEBHOOK_SECRET = "nshook_meshline_sandbox_0001"  # noqa: S105

ZENDESK_EMAIL = "meshline@sandbox.test"
ZENDESK_API_TOKEN = "zdtoken_meshline_sandbox_0001"  # noqa: S105
ZENDESK_AGENT_ID = 76872
ZENDESK_WEBHOOK_SECRET = "zdhook_meshline_sandbox_0001"  # noqa: S105

PIPEDRIVE_COMPANY = "acme"
PIPEDRIVE_COMPANY_ID = 8087566
PIPEDRIVE_API_TOKEN = "5a3d0b0c0ffee0decade00000000000000000001"  # noqa: S105
PIPEDRIVE_CLIENT_ID = "client-id-0001"
PIPEDRIVE_CLIENT_SECRET = "client-secret-0001"  # noqa: S105
PIPEDRIVE_REFRESH_TOKEN = "8087566:12094821:meshline-refresh-0001"  # noqa: S105
PIPEDRIVE_USER_ID = 12094821
PIPEDRIVE_PIPELINE_ID = 5
PIPEDRIVE_SIGNED_STAGE_ID = 428
PIPEDRIVE_WEBHOOK_SECRET = "meshline-hook:correct horse battery staple"  # noqa: S105

SLACK_BOT_TOKEN = "xoxb-meshline-sandbox-0001"  # noqa: S105
SLACK_SIGNING_SECRET = "slsign_meshline_sandbox_0001"  # noqa: S105
SLACK_TEAM_ID = "T0MESHLINE"
SLACK_APP_ID = "A0MESHLINE"
SLACK_BOT_USER = "U0MESHBOT"
PAGERDUTY_ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
PAGERDUTY_WEBHOOK_SECRET = "pdwhsec_meshline_sandbox_0001"  # noqa: S105
# Which group is told where, for whoever wants messages; no default, so that nothing is posted unasked.
SLACK_CHANNELS = (
    "Billing Resolver=C0BILLING,Support Manager=C0SUPPORT,Automation Engineer=C0ENGINEER,Revenue Ops Lead=C0REVENUE"
)

# The published test key of RFC 6979, appendix A.2.5: everybody knows it, so nobody can leak it.
_EC_SCALAR = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
_EC_KEY = ec.derive_private_key(int(_EC_SCALAR, 16), ec.SECP256R1())
NETSUITE_PRIVATE_KEY_PEM = _EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
NETSUITE_PUBLIC_KEY_PEM = _EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def environment(base_url: str) -> dict[str, str]:
    """The settings that point the product at a sandbox, by their environment names."""
    return {
        "MESHLINE_STRIPE_BASE_URL": f"{base_url}/stripe",
        "MESHLINE_STRIPE_API_KEY": STRIPE_API_KEY,
        "MESHLINE_STRIPE_WEBHOOK_SECRETS": STRIPE_WEBHOOK_SECRET,
        "MESHLINE_NETSUITE_BASE_URL": f"{base_url}/netsuite",
        "MESHLINE_NETSUITE_ACCOUNT": NETSUITE_ACCOUNT,
        "MESHLINE_NETSUITE_AUTH": "oauth2",
        "MESHLINE_NETSUITE_ALGORITHM": "ES256",
        "MESHLINE_NETSUITE_CLIENT_ID": NETSUITE_CLIENT_ID,
        "MESHLINE_NETSUITE_CERTIFICATE_ID": NETSUITE_CERTIFICATE_ID,
        "MESHLINE_NETSUITE_PRIVATE_KEY": NETSUITE_PRIVATE_KEY_PEM,
        "MESHLINE_NETSUITE_CONSUMER_KEY": NETSUITE_CONSUMER_KEY,
        "MESHLINE_NETSUITE_CONSUMER_SECRET": NETSUITE_CONSUMER_SECRET,
        "MESHLINE_NETSUITE_TOKEN_ID": NETSUITE_TOKEN_ID,
        "MESHLINE_NETSUITE_TOKEN_SECRET": NETSUITE_TOKEN_SECRET,
        "MESHLINE_NETSUITE_ITEM": "86",
        "MESHLINE_NETSUITE_WEBHOOK_SECRETS": NETSUITE_WEBHOOK_SECRET,
        "MESHLINE_ZENDESK_BASE_URL": f"{base_url}/zendesk",
        "MESHLINE_ZENDESK_EMAIL": ZENDESK_EMAIL,
        "MESHLINE_ZENDESK_API_TOKEN": ZENDESK_API_TOKEN,
        "MESHLINE_ZENDESK_AGENT_ID": str(ZENDESK_AGENT_ID),
        "MESHLINE_ZENDESK_WEBHOOK_SECRETS": ZENDESK_WEBHOOK_SECRET,
        "MESHLINE_PIPEDRIVE_BASE_URL": f"{base_url}/pipedrive",
        "MESHLINE_PIPEDRIVE_OAUTH_URL": f"{base_url}/pipedrive",
        "MESHLINE_PIPEDRIVE_COMPANY": PIPEDRIVE_COMPANY,
        "MESHLINE_PIPEDRIVE_API_TOKEN": PIPEDRIVE_API_TOKEN,
        "MESHLINE_PIPEDRIVE_CLIENT_ID": PIPEDRIVE_CLIENT_ID,
        "MESHLINE_PIPEDRIVE_CLIENT_SECRET": PIPEDRIVE_CLIENT_SECRET,
        "MESHLINE_PIPEDRIVE_REFRESH_TOKEN": PIPEDRIVE_REFRESH_TOKEN,
        "MESHLINE_PIPEDRIVE_USER_ID": str(PIPEDRIVE_USER_ID),
        "MESHLINE_PIPEDRIVE_PIPELINE_ID": str(PIPEDRIVE_PIPELINE_ID),
        "MESHLINE_PIPEDRIVE_SIGNED_STAGE_ID": str(PIPEDRIVE_SIGNED_STAGE_ID),
        "MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS": PIPEDRIVE_WEBHOOK_SECRET,
        "MESHLINE_SLACK_BASE_URL": f"{base_url}/slack",
        "MESHLINE_SLACK_BOT_TOKEN": SLACK_BOT_TOKEN,
        "MESHLINE_SLACK_SIGNING_SECRETS": SLACK_SIGNING_SECRET,
        "MESHLINE_SLACK_TEAM_ID": SLACK_TEAM_ID,
        "MESHLINE_SLACK_APP_ID": SLACK_APP_ID,
        "MESHLINE_SLACK_CONSOLE_URL": "http://127.0.0.1:8000",
        "MESHLINE_PAGERDUTY_BASE_URL": f"{base_url}/pagerduty",
        "MESHLINE_PAGERDUTY_ROUTING_KEY": PAGERDUTY_ROUTING_KEY,
        "MESHLINE_PAGERDUTY_WEBHOOK_SECRETS": PAGERDUTY_WEBHOOK_SECRET,
    }
