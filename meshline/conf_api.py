"""Settings of the API and of its OpenAPI document."""

from typing import Any

from meshline.env import env_int

TOKEN_CALLS_A_MINUTE = env_int("MESHLINE_API_CALLS_A_MINUTE", 300, low=1, high=100_000)

FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["meshline.api.wire.InertJson"],  # browsable pages need inline script
    "DEFAULT_PARSER_CLASSES": ["meshline.api.wire.StrictJson"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["meshline.api.access.ByToken", "meshline.api.access.BySession"],
    "DEFAULT_PERMISSION_CLASSES": ["meshline.api.access.MayLook"],
    "DEFAULT_THROTTLE_CLASSES": ["meshline.api.access.PerToken"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "meshline.api.errors.handle",
    "URL_FORMAT_OVERRIDE": None,
    "UNICODE_JSON": False,  # everything beyond ASCII is escaped, so that no text turns around what stands beside it
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DOCUMENT: dict[str, Any] = {
    "TITLE": "Meshline API",
    "DESCRIPTION": "The verbs of the console for programs: the same permissions, gates, four eyes and ledger rows. "
    "Sign in with a session and its CSRF token, or with a token of `manage.py api_token`. A token cannot confirm a "
    "password, so what asks for one again (two-person approvals, resume) is done on the page. Amounts are whole "
    "minor units with a currency, times are UTC.",
    "VERSION": "1",
    "SERVE_AUTHENTICATION": ["meshline.api.access.ByToken", "meshline.api.access.BySession"],
    "SERVE_PERMISSIONS": ["meshline.api.access.MayLook"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "ENUM_NAME_OVERRIDES": {
        "CustomerStateEnum": "ledger.models.Customer.State",
        "ContractStateEnum": "ledger.models.Contract.State",
        "EventStateEnum": "ledger.models.Event.State",
        "ActionStateEnum": "ledger.models.Action.State",
        "ActionModeEnum": "ledger.models.Action.Mode",
        "ReviewItemStateEnum": "gates.models.ReviewItem.State",
        "GateStateEnum": "gates.models.GateVersion.State",
        "QueueStateEnum": "meshline.api.items.QUEUE_STATES",
        "QueueModeEnum": "meshline.api.items.QUEUE_MODES",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": False, "validatorUrl": None, "displayRequestDuration": True},
}
