"""Who asks, by session or token, and how often; what they may do is checked where it is done."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from gates.models import ApiToken
from ledger import clock
from meshline.conf_api import TOKEN_CALLS_A_MINUTE

REFUSED = "the token is not valid: unknown, revoked, expired, or its person may not sign in"


class ByToken(BaseAuthentication):
    """`Authorization: Bearer mesh_...`. Every way of being wrong gets the same answer."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The person and the token, None without such a header. Raises AuthenticationFailed."""
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        try:
            scheme, secret = (part.decode("ascii") for part in parts)
        except ValueError:
            raise AuthenticationFailed(REFUSED) from None
        token = ApiToken.found(secret) if scheme.lower() == "bearer" else None
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(REFUSED)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="meshline"'


class BySession(SessionAuthentication):
    """The console's session; every method that changes something needs its CSRF token."""


class MayLook(BasePermission):
    """Who may sign in to the console and has the view's permission. The verbs' own permissions are the services'."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises PermissionDenied naming the permission; the same for objects that exist and that do not."""
        user: User | AnonymousUser = request.user
        if not user.is_authenticated:
            return False
        needs = getattr(view, "needs", "")
        if not (user.is_active and user.is_staff):
            raise PermissionDenied("your account may not use the console, so it may not use the API")
        if needs and not user.has_perm(needs):
            raise PermissionDenied(f"your account may not see this; it needs the permission {needs}")
        return True


class PerToken(BaseThrottle):
    """So many calls a minute for each token, counted in its row, so that all processes count together."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether this call is still within the minute's share; people with a session are not counted here."""
        return not isinstance(request.auth, ApiToken) or request.auth.count() <= TOKEN_CALLS_A_MINUTE

    def wait(self) -> float:
        """Seconds to the next minute."""
        return 60.0 - clock.now().timestamp() % 60


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names tokens."""

    target_class = "meshline.api.access.ByToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names sessions."""

    target_class = "meshline.api.access.BySession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The console's cookie."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
