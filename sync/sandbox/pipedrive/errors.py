"""Pipedrive's refusals, in its several shapes."""

from typing import Any

from sync.sandbox.wire import Json, Reply, json_reply

BLOCKED_PAGE = (
    b"<!DOCTYPE html><html><head><title>Access denied | Cloudflare</title></head>"
    b"<body><h1>Error 1015</h1><p>You are being rate limited</p></body></html>"
)


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, error: str, info: str = "", **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body: Json = {"success": False, "error": error, "error_info": info or None, "data": None,
                           "additional_data": None, **more}  # fmt: skip

    def reply(self) -> Reply:
        """The error as an answer."""
        return json_reply(self.status, self.body)


def invalid(name: str, text: str) -> Refused:
    """A validation error that names the member."""
    return Refused(400, f"Validation failed: {name}: {text}", "Please check the request")


def not_found(what: str = "Record") -> Refused:
    """Missing, purged or invisible: nobody is told which."""
    return Refused(404, f"{what} not found")


def unauthorized() -> Reply:
    """A dead token."""
    return json_reply(401, {"success": False, "error": "unauthorized access", "errorCode": 401,
                            "error_info": "Please check developers.pipedrive.com"})  # fmt: skip


def throttled() -> Reply:
    """Too many requests; which of the two limits it was is in the headers only."""
    return json_reply(429, {"success": False, "error": "request over limit", "errorCode": 429})


def blocked() -> Reply:
    """The gatekeeper's page after too many ignored refusals."""
    return Reply(403, BLOCKED_PAGE, {"Content-Type": "text/html; charset=UTF-8"})
