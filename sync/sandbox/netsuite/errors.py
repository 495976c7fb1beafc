"""NetSuite's error answers."""

from sync.sandbox.wire import Json, Reply, json_reply

TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 424: "Failed Dependency", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip
SECTIONS = {400: "15.5.1", 401: "15.5.2", 403: "15.5.4", 404: "15.5.5", 405: "15.5.6", 409: "15.5.10", 500: "15.6.1"}


class Refused(Exception):
    """An error answer with one detail."""

    def __init__(
        self, status: int, code: str, detail: str, *, path: str = "", query: str = "", header: str = "",
        title: str = "", headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.where = {"o:errorPath": path, "o:errorQueryParam": query, "o:errorHeader": header}
        self.title = title or TITLES.get(status, "Error")
        self.headers = headers or {}

    def reply(self) -> Reply:
        """The error as an answer."""
        detail: Json = {"detail": self.detail, "o:errorCode": self.code}
        detail.update({name: value for name, value in self.where.items() if value})
        section = SECTIONS.get(self.status, "15")
        body: Json = {
            "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#section-{section}", "title": self.title,
            "status": self.status, "o:errorDetails": [detail],
        }  # fmt: skip
        if self.status == 429:
            body["o:errorCode"] = self.code
        reply = json_reply(self.status, body, self.headers)
        reply.headers["Content-Type"] = "application/vnd.oracle.resource+json; type=error"
        return reply


def not_found(what: str) -> Refused:
    """No such record or resource."""
    detail = f"The record instance does not exist. Provide a valid record instance ID. ({what})"
    return Refused(404, "NONEXISTENT_ID", detail)


def bad_content(path: str, detail: str) -> Refused:
    """A member has a name or value that cannot be."""
    return Refused(400, "INVALID_CONTENT", f"Error while accessing a resource. {detail}", path=path)


def user_error(detail: str, path: str = "") -> Refused:
    """A business rule says no; the reason is only in the text."""
    return Refused(400, "USER_ERROR", f"Error while accessing a resource. {detail}", path=path)


def crowded() -> Refused:
    """Too many requests of the account are in flight."""
    return Refused(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")
