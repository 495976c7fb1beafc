"""The emergency stop: anybody may halt, two people bring writes back, on the page."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from gates import stop
from meshline.api.base import ApiView, acts, looks
from meshline.api.shapes import StopShape
from meshline.api.strict import Body, Choice, Query, Text, Whole

SCOPE = "all, provider:<name> or automation:<name>"
STEPS = ("ask", "confirm")


class StopBody(Body):
    """What is halted, and why."""

    scope = Text(80, required=False, default=stop.ALL, help_text=SCOPE)
    reason = Text(500, help_text="Why; it goes into the ledger")


class ResumeBody(Body):
    """The first person asks with a reason, another one confirms and says how what is held leaves."""

    step = Choice(STEPS)
    scope = Text(80, required=False, default=stop.ALL, help_text=SCOPE)
    reason = Text(500, least=0, required=False, default="", help_text="Required to ask")
    release_to = Choice((stop.SEND, stop.QUEUE), required=False, default=stop.SEND, help_text="To confirm")
    a_minute = Whole(
        1, stop.MOST_A_MINUTE, required=False, default=stop.PACE, help_text="To confirm: how many leave in a minute"
    )


class Stop(ApiView):
    """The switches."""

    needs = "gates.view_stopswitch"

    @looks("stop_show", "Every scope of the stop, and how much is held", StopShape, Query)
    def get(self, request: Request) -> Response:
        """As it is in the database now."""
        self.query(Query)
        return Response(shown())

    @acts("stop_engage", "Halt every write of a scope at once", StopBody, StopShape)
    def post(self, request: Request) -> Response:
        """A second stop changes nothing."""
        said = self.body(StopBody)
        stop.engage(said["scope"], by=self.person(), reason=said["reason"])
        return Response(shown())


class Resume(ApiView):
    """Letting writes pass again."""

    needs = "gates.view_stopswitch"

    @acts("stop_resume", "Ask for a resume, or confirm another person's", ResumeBody, StopShape)
    def post(self, request: Request) -> Response:
        """Both steps need the password within the last minutes, so a token can do neither."""
        said = self.body(ResumeBody)
        by = self.person()
        if by.has_perm(stop.PERMISSIONS["request_resume"]):
            self.step_up("resume")
        if said["step"] == "ask":
            stop.request_resume(said["scope"], by=by, reason=said["reason"])
        else:
            stop.confirm_resume(said["scope"], by=by, release_to=said["release_to"], a_minute=said["a_minute"])
        return Response(shown())


def shown() -> dict[str, Any]:
    """The stop as it is now."""
    now: dict[str, Any] = {"stopped": stop.is_stopped(), "held": stop.held_count(), "switches": stop.switches()}
    return dict(StopShape(now).data)
