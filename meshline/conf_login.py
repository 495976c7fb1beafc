"""Settings of sign-in: how long a session may rest, and how fresh a password must be for what matters most."""

from typing import Any

from meshline.env import env_int

HOUR = 3600

# Who may decide, resume or promote is signed out sooner than who only looks.
IDLE_SECONDS = env_int("MESHLINE_SESSION_IDLE_SECONDS", 1800, low=60, high=12 * HOUR)
IDLE_OTHERS_SECONDS = env_int("MESHLINE_SESSION_IDLE_OTHERS_SECONDS", 2 * HOUR, low=60, high=12 * HOUR)
STEP_UP_SECONDS = env_int("MESHLINE_STEP_UP_SECONDS", 600, low=30, high=HOUR)

BACKENDS = ["meshline.sessions.Backend"]
MIDDLEWARE = "meshline.middleware.Sessions"
# The row outlives every idle limit; `meshline.sessions` ends a session earlier. It is saved once a minute, not with
# each request, and a page that only asks for news does not save it at all.
SESSION: dict[str, Any] = {"age": 12 * HOUR, "each_request": False}
