"""How any record of the ERP is written: looked for, sent once, read back; a job of the ERP is judged by its result."""

from datetime import timedelta

from django.conf import settings

from sync.actions.base import Accepted, ActionKind, Answer, Confirmation, Found, NotDone, Work
from sync.errors import UnconfirmedError
from sync.onboarding.reading import erp
from sync.providers import netsuite_records as records
from sync.providers.base import Guard
from sync.providers.netsuite import JobDone, JobPending, job_path, location_id
from sync.wiretypes import FrozenRequest


class ErpWrite(ActionKind):
    """A write of one record of the ERP. Who extends it says what is sent, and how it is found."""

    provider = "netsuite"
    record: str = ""

    @property
    def settle(self) -> timedelta:  # type: ignore[override]
        """A write whose answer was lost may still be committing: wait for the slowest known one first."""
        return timedelta(seconds=8 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Look, send, then read back: what is there already is not written again, only the record itself confirms."""
        found = self.look_up(work)
        if not isinstance(found, NotDone):
            return found
        response = records.perform(erp(), request, guard, work.exchanges)
        if response.status in (202, 400):
            return Accepted(job_path(response))
        written = location_id(response, self.record)
        shown = self.look_up(work)
        if not isinstance(shown, Confirmation):
            raise UnconfirmedError("taken, but the record does not show it", provider=self.provider, code="not_shown")
        if shown.id != written:
            raise response.unreadable("the answer names another record than the one that was written")
        return shown

    def poll(self, work: Work) -> Found:
        """A job is judged by the status of its result, then by the record itself."""
        state = erp().job_state(work.job_ref, work.exchanges)
        if isinstance(state, JobPending):
            return Accepted(work.job_ref)
        if isinstance(state, JobDone) and state.status >= 400:
            raise records.job_refusal(state)
        return self.look_up(work)
