"""The demo refuses what cannot work before it starts anything, touches only its own, and leaves no process."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group

from gates import assistants
from gates.models import Automation, ReviewItem
from gates.models.automation import STEPS
from meshline import postgres, supervise
from meshline.demo import deals, fresh, house, people, summary
from sync.sandbox import keys
from sync.sandbox.cast import LEAST, Fate
from sync.sandbox.remote import Remote
from sync.sandbox.story import Story
from sync.slack.models import SlackAccount, SlackMessage
from tests import database
from tests.people.cast import item_in
from tests.simulators import ROOT


def demo(folder, *options, **more):
    """The command in a folder of its own."""
    environment = {**os.environ, "MESHLINE_LOCAL_DIR": str(folder), "MESHLINE_PID_DIR": str(folder)}
    command = [sys.executable, "manage.py", "demo", *options]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, text=True, **more)


def refused(folder, *options):
    """What the command says when it ends by itself."""
    process = demo(folder, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = process.communicate(timeout=90)
    return process.returncode, said[1]


def free_ports(count=2):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.mark.parametrize("option", ["--port", "--sandbox-port"])
def test_used_port_is_named_with_a_way_out_before_anything_starts(tmp_path, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = refused(tmp_path, option, str(port))

    assert code == 2
    assert f"Port {port} on 127.0.0.1 is in use. Choose another: uv run manage.py demo {option} " in said
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "0"], "--port must be a port from 1 to 65535, not '0'"),
        (["--port", "8123", "--sandbox-port", "8123"], "--port and --sandbox-port are both 8123"),
    ],
)
def test_impossible_ports_are_refused(tmp_path, options, said):
    code, answer = refused(tmp_path, *options)

    assert (code, said in answer) == (2, True)


def test_second_demo_in_a_folder_says_so(tmp_path):
    with supervise.only_one(tmp_path, "demo"):
        code, said = refused(tmp_path, "--once")

    assert code == 2
    assert f"A demo already runs in this folder, as process {os.getpid()}" in said
    assert not (tmp_path / "postgres").exists()


def test_children_see_the_simulators_whatever_is_configured(monkeypatch):
    for name in (*keys.environment(""), "MESHLINE_STRIPE_API_KEY_FILE", "MESHLINE_NETSUITE_STATUS_FIELD"):
        monkeypatch.setenv(name, "https://real.example.com")
    monkeypatch.setenv("DATABASE_URL", "postgres://real@db/real")

    told = house.environment("http://127.0.0.1:8200", 5, "http://127.0.0.1:8077")

    assert "real" not in " ".join(told.values())
    addresses = [value for name, value in told.items() if name.endswith("_URL") and value]
    assert {urlsplit(one).hostname for one in addresses} == {"127.0.0.1"}
    assert {name for name in os.environ if name.startswith("MESHLINE_")} - set(told) <= set(house.KEPT)
    assert (told["MESHLINE_PUBLIC_URL"], told["MESHLINE_MAIL_PORT"]) == ("http://127.0.0.1:8077", "8225")
    assert (told["DATABASE_URL"], told["MESHLINE_SAFETY_WINDOW_SECONDS"]) == ("", "15")


@pytest.fixture
def spare(transactional_db):
    """The name of a database that does not exist, and none of that name afterwards."""
    name = f"test_room_{os.getpid()}"
    with database.connect_as_owner() as session:
        session.execute(f"create database {name}")
        yield name
        found = session.execute("select datname from pg_database where datname like %s", [f"{name}%"]).fetchall()
        for (one,) in found:
            drop(session, one)


def drop(session, name):
    """A worker of the server itself may be in there for a moment, and nobody may end that one."""
    give_up_at = time.monotonic() + 15
    while True:
        try:
            session.execute(f'drop database "{name}" with (force)')
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)
        else:
            return


def fill(name):
    with fresh._owner(name) as session:
        session.execute("create table ledger_event (id int)")
        session.execute("create table ledger_customer (id int)")
        session.execute("insert into ledger_event values (1)")


def test_database_of_an_earlier_demo_is_dropped_and_any_other_is_kept(spare):
    fill(spare)
    kept = fresh.make_room(spare)
    fill(spare)

    again = fresh.make_room(spare)

    assert kept.startswith(f"{spare}_2")
    assert fresh._is_filled(kept)
    assert (again, fresh._is_filled(spare)) == ("", False)


def test_database_that_somebody_uses_is_left_alone(spare):
    fresh.make_room(spare)
    with fresh._owner(spare), pytest.raises(psycopg.errors.ObjectInUse):
        fresh.make_room(spare)


@pytest.mark.django_db
def test_there_is_a_person_for_each_group_and_one_automation_at_each_stage():
    people.arrive()

    assert {one.group for one in people.PEOPLE} == set(Group.objects.values_list("name", flat=True)) - {
        assistants.GROUP
    }
    signed_in = [authenticate(username=one.username, password=one.password) for one in people.PEOPLE]
    assert [user.groups.get().name for user in signed_in] == [one.group for one in people.PEOPLE]
    stands = {name: stage for name, (_, stage, _) in people.STAGES.items()}
    assert dict(Automation.objects.values_list("name", "state")) == stands
    assert {*stands.values()} == {*STEPS}


def test_the_story_can_be_told_and_the_same_seed_tells_it_again(sandbox):
    told = []
    for _ in range(2):
        sandbox.reset()
        story = Story(Remote(sandbox.url), customers=LEAST + 3, seed=5, day_seconds=1)
        told.append([story.arrive(), *(scene.act() for scene in story.scenes())])
        days = [scene.day for scene in story.scenes()]

    assert told[0] == told[1]
    assert days == sorted(days)
    assert {one.fate for one in story.customers} == set(Fate)


class Books:
    """Simulators that answer what a test wants."""

    def __init__(self, effects, sent=(), messages=()):
        self.found, self.sent, self.messages = effects, list(sent), list(messages)

    def effects(self, provider):
        return self.found if provider == "zendesk" else {}

    def deliveries(self):
        return self.sent

    def markers(self):
        return self.messages


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("case", "effects", "status", "problems"),
    [
        ("nothing happened", {}, None, []),
        ("an effect nobody booked", {"7": 1}, None, ["in the books, but not applied: zendesk 7"]),
        ("twice", {"7": 2}, None, ["in the books, but not applied: zendesk 7", "2 effects of zendesk 7"]),
        ("acknowledged and gone", {}, 200, ["acknowledged and lost: stripe evt_1"]),
        ("never taken", {}, 503, ["sent and never acknowledged: stripe evt_1"]),
    ],
)
def test_summary_names_what_does_not_agree(case, effects, status, problems):
    sent = [{"provider": "stripe", "event": "evt_1", "status": status}] if status else []

    found = summary.gather(Books(effects, sent))

    assert [one for one in found.problems if "are counted" not in one] == problems
    assert f"{int(bool(effects))} only there" in "\n".join(found.lines())


@pytest.mark.django_db
def test_summary_counts_deals_and_compares_messages_and_clicks():
    steps = {
        "1": ("applied", "applied"), "2": ("applied", "failed"), "3": ("rejected",), "4": ("in_review",),
        "5": ("superseded", "applied"),
    }  # fmt: skip
    for deal, states in steps.items():
        for kind, state in zip(("customer.create", "invoice.create"), states, strict=False):
            key = f"deal:{deal}:{kind.partition('.')[0]}"
            item_in(state, kind=kind, business_key=key)
    posted = SlackMessage.objects.create(item=ReviewItem.objects.first(), channel="C0", state="posted")
    click = {"provider": "slack", "event": "1.2:meshline_retry:3", "status": 200}

    found = summary.gather(Books({}, [click], [str(posted.marker), "strange", "strange"]))

    assert found.figures["signed deals"] == {"billed": 2, "refused": 1, "waiting": 2}
    assert {one for one in found.problems if "lack" in one or "click" in one} == {
        "in Slack, but not posted by us: strange", "2 messages in Slack of strange",
        "1 clicks and forms were acknowledged, 0 are stored",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_the_deal_that_was_corrected_is_retried_and_the_other_one_refused(sandbox, settings):
    people.arrive()
    remote = Remote(sandbox.url)
    deals.join_workspace(remote)
    for reason in (deals.COMPLETE, "billing owner is missing"):
        item = item_in(kind=deals.KIND)
        ReviewItem.objects.filter(pk=item.pk).update(why=deals.WHY, reason=reason)

    assert dict(SlackAccount.objects.values_list("user__username", "slack_user"))["rita"] == "U0RITA"
    assert "refuses 1 deal" in deals.refuse()
    assert deals.refuse() == "Ben (Billing Resolver) refuses 0 deals without a billing owner"
    assert list(ReviewItem.objects.order_by("id").values_list("state", "resolution")) == [
        ("open", ""), ("resolved", "rejected")
    ]  # fmt: skip


def test_interrupt_leaves_no_process(tmp_path):
    port, sandbox_port = free_ports()
    options = ["--port", str(port), "--sandbox-port", str(sandbox_port), "--customers", str(LEAST)]
    process = demo(tmp_path, *options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said = next((line for line in process.stdout if "The week begins" in line or "demo:" in line), "ended")
        family = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)
    finally:
        process.kill()
        subprocess.run(["rm", "-rf", str(postgres.Server(tmp_path).home)], check=True)

    assert "The week begins" in said
    assert len(family) > 10  # database, web, two clusters, simulators
    assert (process.returncode, psutil.wait_procs(family, timeout=5)[1]) == (0, [])
    assert time.monotonic() - began < 45
