"""Throw-away credentials of the simulators: what the product is configured with to talk to them. None is a secret."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

STRIPE_API_KEY = "sk_test_meshline_sandbox"
STRIPE_WEBHOOK_SECRET = "whsec_meshline_sandbox_0001"  # noqa: S105

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
        "MESHLINE_NETSUITE_WEBHOOK_SECRETS": NETSUITE_WEBHOOK_SECRET,
        "MESHLINE_ZENDESK_BASE_URL": f"{base_url}/zendesk",
        "MESHLINE_ZENDESK_EMAIL": ZENDESK_EMAIL,
        "MESHLINE_ZENDESK_API_TOKEN": ZENDESK_API_TOKEN,
        "MESHLINE_ZENDESK_AGENT_ID": str(ZENDESK_AGENT_ID),
        "MESHLINE_ZENDESK_WEBHOOK_SECRETS": ZENDESK_WEBHOOK_SECRET,
    }
