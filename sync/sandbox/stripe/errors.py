"""Stripe's error answers."""

from sync.sandbox.wire import Json, Reply, json_reply


class ApiError(Exception):
    """An error answer. `executed` says whether the endpoint had begun: only then is it stored under the key."""

    def __init__(
        self, status: int, message: str, *, code: str = "", kind: str = "invalid_request_error", param: str = "",
        executed: bool = True, more: Json | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.executed = executed
        self.error: Json = {"message": message, "type": kind, **(more or {})}
        if code:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.error["param"] = param

    def reply(self) -> Reply:
        """The error as an answer."""
        return json_reply(self.status, {"error": self.error})


def missing(name: str, object_id: str, param: str = "id") -> ApiError:
    """No such object."""
    return ApiError(404, f"No such {name}: '{object_id}'", code="resource_missing", param=param)


def parameter_missing(param: str) -> ApiError:
    """A parameter that must be there is not."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param, executed=False)


def parameter_unknown(param: str) -> ApiError:
    """A parameter the endpoint does not know."""
    return ApiError(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param, executed=False)


def invalid_integer(param: str, value: object) -> ApiError:
    """A number that is none."""
    text = f"Invalid integer: {value}"
    return ApiError(400, text, code="parameter_invalid_integer", param=param, executed=False)
