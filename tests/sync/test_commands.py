"""The commands: one clear sentence and exit 2 for wrong use, 1 for trouble found, 0 when all is well."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from gates import policy
from gates.models import Automation, SignOff, StopSwitch
from ledger import clock
from ledger.models import Action, Event
from tests.factories import ActionFactory, ContractFactory, EventFactory, ExternalIdFactory
from tests.people.cast import person
from tests.people.rollouts import earned, owned

pytestmark = pytest.mark.django_db


def run(*words):
    """What a command prints."""
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def fails(*words):
    """The exit code and the sentence of a command that does not succeed."""
    with pytest.raises(CommandError) as error:
        run(*words)
    return error.value.returncode, str(error.value)


class TestSweep:
    def test_prints_counts(self):
        ActionFactory(state="held", available_at=clock.now().replace(year=2020))

        assert "     1  held actions whose time has come" in run("sweep")
        assert json.loads(run("sweep", "--json")) == {
            "tripped": 0, "parked_events": 0, "heard_again": 0, "freed_actions": 0, "due": 0, "released": 0, "woken": 0,
            "bumped": 0, "messages": 0, "onboarding": 0, "incidents": 0,
        }  # fmt: skip


class TestStop:
    def test_stops_and_says_what_goes_on(self):
        by = person("Support")

        said = run("stop", "doubled actions", "--as", by.username)

        assert said.startswith(f"stopped: all, by {by.username} since 20")
        assert "what would be sent is held" in said
        assert StopSwitch.objects.get(scope="all").state == "stopped"

    def test_one_scope(self):
        run("stop", "x", "--scope", "provider:stripe", "--as", person().username)

        assert dict(StopSwitch.objects.values_list("scope", "state")) == {
            "all": "running", "provider:stripe": "stopped",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (("x", "--as", "nobody"), "--as: there is no user named 'nobody'"),
            ((" ", "--as", "{ok}"), "reason: say why"),
            (("x", "--scope", "provider:strpie", "--as", "{ok}"), "scope: there is no provider 'strpie'"),
            (("x", "--as", "{off}"), "--as: the account of '{off}' is switched off"),
            (("x", "--as", "{none}"), "your account may not stop"),
        ],
    )
    def test_wrong_use(self, given, said):
        names = {
            "ok": person().username, "off": person(is_active=False).username, "none": person(None).username,
        }  # fmt: skip

        code, sentence = fails("stop", *(word.format(**names) for word in given))

        assert code == 2
        assert sentence.startswith(said.format(**names))
        assert StopSwitch.objects.get(scope="all").state == "running"

    def test_resume_only_asks(self):
        first = person()
        run("stop", "x", "--as", first.username)

        said = run("resume", "mended", "--as", first.username)

        assert "writes are still stopped" in said
        assert "A second person has to confirm it, signed in" in said
        assert StopSwitch.objects.get(scope="all").state == "resuming"
        assert fails("resume", "again", "--as", person().username)[0] == 1

    def test_nothing_to_resume(self):
        assert fails("resume", "x", "--as", person().username) == (1, "all is running; nothing to resume")


class TestAutomation:
    def test_steps(self):
        by = earned("shadow")

        assert run("automation", "dunning", "--stage", "suggest", "--as", by.username, "--reason", "x") == (
            "dunning: Soft-Auto\n"
        )
        assert Automation.objects.get(name="dunning").state == "suggest"

    def test_says_what_is_missing_with_its_numbers(self):
        earned("shadow")
        out = StringIO()
        with pytest.raises(CommandError, match="5 of 7 conditions are not met"):
            call_command("automation", "onboarding", stdout=out)
        assert "[ ] Decisions: no event reached it in this stage, needed at least 1" in out.getvalue()
        assert "Registration: no person as owner" in out.getvalue()
        assert json.loads(run("automation", "dunning", "--json"))["next"] == "suggest"
        assert fails("automation", "dunning", "--segment", "tier:x") == (2, "there is no segment 'tier:x' of 'dunning'")
        assert fails("automation", "dunning", "--stage", "paused")[0] == 2

    def test_signs_off_and_quarantines(self):
        owned()
        SignOff.objects.all().delete()
        words = ("--as", "owner", "--reason", "looked at it")
        assert run("automation", "dunning", "--sign-off", "1", *words) == "dunning: version 1 is signed off\n"
        assert run("automation", "dunning", "--quarantine", *words).startswith("dunning: in quarantine, see RV-")

    @pytest.mark.parametrize(
        ("name", "stage", "group", "code"),
        [("dunning", "full", "Revenue Ops Lead", 1), ("ghost", "suggest", "Revenue Ops Lead", 2),
         ("dunning", "suggest", "Support", 2)],
    )  # fmt: skip
    def test_refusals(self, name, stage, group, code):
        words = ("automation", name, "--stage", stage, "--as", person(group).username, "--reason", "x")

        assert fails(*words)[0] == code
        assert Automation.objects.get(name="dunning").state == "shadow"

    def test_unknown_stage(self):
        with pytest.raises(CommandError, match="invalid choice: 'everywhere'"):
            run("automation", "dunning", "--stage", "everywhere", "--as", "x", "--reason", "x")


class TestReplay:
    def test_the_plan_comes_first(self):
        EventFactory.create_batch(2, state="ignored")
        EventFactory(state="received")

        said = run("replay", "--since", "2020-01-01", "--until", "2100-01-01T00:00Z")

        assert said.splitlines() == [
            "2 events would be judged again, 1 are still open and left alone",
            "       2  payment.failed",
            "Nothing was done; add --yes --as USER --reason WHY to do it.",
        ]
        assert Event.objects.filter(state="ignored").count() == 2

    def test_yes_does_it(self):
        events = [EventFactory(state=state) for state in ("ignored", "processed", "parked")]
        words = ("--since", "2020-01-01", "--until", "2100-01-01", "--yes", "--as", person().username, "--reason", "x")

        assert run("replay", *words) == "3 replayed, 0 left alone\n"
        assert set(Event.objects.filter(pk__in=[one.pk for one in events]).values_list("state", flat=True)) == {
            "received"
        }

    def test_what_is_open_is_left_alone_and_said(self):
        EventFactory(state="ignored")
        EventFactory(state="processing")
        words = ("--since", "2020-01-01", "--until", "2100-01-01", "--yes", "--as", person().username, "--reason", "x")

        assert fails("replay", *words) == (1, "not replayed: 1 open")
        assert Event.objects.filter(state="received").count() == 1

    def test_one_event_as_json(self):
        event = EventFactory(state="ignored")

        plan = json.loads(run("replay", "--event", str(event.pk), "--json"))["plan"]

        assert plan == {"replay": 1, "still_open": 0, "kinds": {"payment.failed": 1}, "stopped": False}

    def test_a_source(self):
        EventFactory(state="ignored", source="zendesk")
        EventFactory(state="ignored")

        said = run("replay", "--since", "2020-01-01", "--until", "2100-01-01", "--source", "zendesk")

        assert said.startswith("1 events would be judged again")

    def test_not_while_stopped(self):
        event, by = EventFactory(state="ignored"), person()
        run("stop", "x", "--as", by.username)

        assert "Writes are stopped: resume before you replay." in run("replay", "--event", str(event.pk))
        code, said = fails("replay", "--event", str(event.pk), "--yes", "--as", by.username, "--reason", "x")
        assert (code, said) == (1, "writes are stopped; resume first, then replay")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "choose --event ID, or --since TIME --until TIME"),
            (("--event", "1", "--since", "2020-01-01"), "choose --event ID, or"),
            (("--since", "2020-01-01"), "--since and --until belong together"),
            (("--since", "soon", "--until", "2020-01-01"), "--since: 'soon' is no time such as"),
            (("--since", "2020-13-45", "--until", "2020-01-01"), "--since: '2020-13-45' is no time"),
            (("--since", "2020-01-02", "--until", "2020-01-01"), "--since must be before --until"),
            (("--event", "404404"), "--event: there is no event 404404"),
            (("--since", "2020-01-01", "--until", "2020-01-02", "--yes"), "--yes needs --as USER and --reason WHY"),
        ],
    )
    def test_wrong_use(self, words, said):
        code, sentence = fails("replay", *words)

        assert code == 2
        assert sentence.startswith(said)

    def test_needs_the_permission(self):
        event, by = EventFactory(state="ignored"), person("Auditor")

        assert fails("replay", "--event", str(event.pk), "--yes", "--as", by.username, "--reason", "x")[0] == 2
        assert Event.objects.get().state == "ignored"


class TestPropose:
    @pytest.fixture
    def contract(self):
        policy._held.clear()
        made = ContractFactory(state="past_due")
        ExternalIdFactory(system="netsuite", kind="contract", customer=made.customer, contract=made)
        return made

    def asked(self, tmp_path, content):
        path = tmp_path / "ask.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    def test_prints_the_decision(self, tmp_path, contract):
        wanted = {"kind": "contract.suspend", "contract": contract.external_id, "reason": "they asked"}

        said = run("propose", self.asked(tmp_path, wanted), "--as", person("Support").username).splitlines()

        action = Action.objects.get()
        assert said[0] == f"contract.suspend: in review  (action {action.pk})"
        assert said[1] == "  asked_by_person: review, a person asked for this; another one decides"
        assert said[2] == "  ERP, contract status: active -> suspended"
        assert said[3].endswith("waits for another person")

    def test_as_json(self, tmp_path, contract):
        wanted = {"kind": "contract.suspend", "contract": contract.pk, "params": {}, "reason": "they asked"}

        said = json.loads(run("propose", self.asked(tmp_path, wanted), "--as", person("Support").username, "--json"))

        assert (said["state"], said["kind"]) == ("in_review", "contract.suspend")
        assert said["action"] == str(Action.objects.get().pk)

    def test_a_duplicate_is_trouble_not_wrong_use(self, tmp_path, contract):
        wanted = {"kind": "contract.suspend", "contract": contract.external_id, "reason": "they asked"}
        words = ("propose", self.asked(tmp_path, wanted), "--as", person("Support").username)
        run(*words)

        assert fails(*words) == (1, "Suspend contract: the same is under way already; nothing was asked for")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not JSON"),
            (b"[1]", "top level is not an object"),
            (b"\xff", "not UTF-8"),
            (b'{"kind": "a", "kind": "b"}', "duplicate_key:kind"),
            ({"kind": "x", "shoe": 1}, "shoe: is not known; known are kind, contract, params, reason"),
            ({"contract": "x", "reason": "y"}, "kind: is required, a text"),
            ({"kind": 5, "contract": "x", "reason": "y"}, "kind: must be a text"),
            ({"kind": "x", "contract": True, "reason": "y"}, "contract: must be an external id or a number"),
            ({"kind": "x", "contract": "x", "params": [], "reason": "y"}, "params: must be an object"),
        ],
    )
    def test_a_file_that_is_none(self, tmp_path, content, said):
        path = self.asked(tmp_path, content)

        assert fails("propose", path, "--as", person("Support").username) == (2, f"{path}: {said}")

    def test_a_file_that_is_not_there(self):
        assert fails("propose", "nowhere.json", "--as", person().username) == (
            2, "nowhere.json: No such file or directory",
        )  # fmt: skip

    def test_field_errors_come_from_the_door(self, tmp_path, contract):
        wanted = {"kind": "contract.downgrade", "contract": contract.external_id, "reason": "they asked"}

        code, said = fails("propose", self.asked(tmp_path, wanted), "--as", person("Support").username)

        assert (code, said) == (2, "params.plan: is required, a text of 1 to 64 characters")
