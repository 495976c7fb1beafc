"""A scripted NetSuite account for tests of its adapter."""

import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sync.providers.netsuite_auth import TOKEN_PATH
from sync.wiretypes import FrozenRequest

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CONTRACT = "/services/rest/record/v1/customrecord_mesh_contract/501"
PATCH = FrozenRequest("netsuite", "PATCH", CONTRACT, (), '{"custrecord_mesh_status":"suspended"}')
LEGACY = {
    "auth": "tba", "account": "1234567-sb1", "consumer_key": "ck", "consumer_secret": "cs", "token_id": "tk",
    "token_secret": "ts",
}  # fmt: skip


def allow():
    """A guard that lets the write go."""


def done(location=CONTRACT):
    return (204, b"", {"Location": location})


def pointed_at(settings, server, **changes):
    """Sign in to `server` by OAuth 2.0, or as `changes` say."""
    config = {
        "base_url": server.url, "auth": "oauth2", "client_id": "client", "certificate_id": "cert", "private_key": PEM,
        "algorithm": "ES256", "concurrency": 2,
    }  # fmt: skip
    provider = {**settings.MESHLINE_PROVIDERS["netsuite"], **config, **changes}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "netsuite": provider}


class Account:
    """A scripted account: tokens that are counted, and answers by method and path."""

    def __init__(self, **answers):
        self.answers = answers
        self.valid, self.issued, self.forms, self.refuse_all = set(), 0, [], False

    def __call__(self, peer):
        while request := peer.request():
            head, _, body = request.partition(b"\r\n\r\n")
            method, path = head.decode().split(" ")[:2]
            if path == TOKEN_PATH:
                self.forms.append(body.decode())
                self.issued += 1
                self.valid = {f"token{self.issued}"}
                peer.answer(200, json.dumps({"access_token": f"token{self.issued}", "expires_in": 3600}).encode())
                continue
            token = head.decode().partition("Authorization: Bearer ")[2].partition("\r\n")[0]
            if self.refuse_all or token not in self.valid:
                peer.answer(401, b'{"title":"Unauthorized","o:errorDetails":[{"o:errorCode":"INVALID_LOGIN"}]}')
                continue
            self.answer(peer, f"{method} {path}")

    def answer(self, peer, call):
        status, body, headers = self.answers["answers"].get(call, (404, b"{}", {}))
        peer.answer(status, body, "application/vnd.oracle.resource+json; type=singular", **headers)
