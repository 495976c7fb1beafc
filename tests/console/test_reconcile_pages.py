"""The pages of reconciliation as a person sees them: what was not compared, what was asked for, what has one cause."""

from datetime import timedelta

import pytest

from ledger import clock
from sync.reconcile.models import Delta
from tests import factories as f
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text

pytestmark = pytest.mark.django_db
LIST, RUNS, GROUPS = "/admin/sync/delta/", "/admin/sync/reconcilerun/", "/admin/reconcile/groups/"


def partial():
    gap = ["books", "netsuite could not be read to the end (timeout)"]
    return f.ReconcileRunFactory(
        check_name="subscriptions", outcome="partial", compared=900, error=gap[1], gaps=[gap], differing=2,
        counts={"field_differs": 2, "echo": 1},
    )  # fmt: skip


def plant(run=None):
    given = {"check_name": "subscriptions", "owner_group": "Billing Resolver", "last_run": run}
    for n in range(3):
        f.DeltaFactory(key=f"sub_{n}", field="monthly amount", owner_system="netsuite", **given)
    f.DeltaFactory(key="re_1", kind="missing_right", field="credit_memo", check_name="refunds", refs=[])
    f.DeltaFactory(key="0192f000-0000-7000-8000-000000000001", kind="unknown_outcome", field="", check_name="actions",
                   refs=[["meshline", "action", "0192f000-0000-7000-8000-000000000001"]])  # fmt: skip
    return f.DeltaFactory(
        key="sub_9", field="ended", left_value="yes", right_value="no", owner_system="stripe", **given
    )


def test_a_partial_run_says_what_was_not_compared_and_groups_show_the_field(manager, django_assert_max_num_queries):
    run = partial()
    ended = plant(run)

    page = text(manager.get(f"{RUNS}{run.pk}/change/"))
    assert "Partial: not everything could be compared, and nothing was closed" in page
    assert "netsuite could not be read to the end (timeout)" in page
    assert "1 echo of our own write" in page
    assert "Partial, see what was not compared" in text(manager.get(LIST))
    with django_assert_max_num_queries(16):
        groups = text(manager.get(GROUPS))
    assert "Field differs monthly amount 3 Billing Resolver" in groups
    assert "Differences open: 6 (+6 in seven days" in groups
    memo = Delta.objects.get(key="re_1")
    assert "re_1 is in Meshline, but no record of NetSuite carries it." in text(manager.get(f"{LIST}{memo.pk}/change/"))

    address = f"/admin/reconcile/deltas/{ended.pk}"
    assert "Ask for the contract to be cancelled in the ERP" in text(manager.get(f"{LIST}{ended.pk}/change/"))
    refused = manager.post(f"{address}/propose/", {"version": ended.state_version, "reason": "billing ended it"})
    assert (refused.status_code, "o contract of ours is linked" in text(refused)) == (409, True)
    assert manager.post(f"{address}/fetch/", {"version": ended.state_version}).status_code == 409
    for until, status in (("yesterday", 422), (f"{clock.now() - timedelta(days=3):%Y-%m-%d}", 422), ("", 302)):
        said = {"version": ended.state_version, "reason": "moves soon", "accepted_until": until}
        assert manager.post(f"{address}/accept/", said).status_code == status, until


@pytest.mark.django_db(transaction=True)
def test_pages_are_accessible_and_fit(console):  # noqa: F811
    run = partial()
    ended = plant(run)
    f.DeltaFactory(key="sub_10", state="accepted", accepted_until=clock.now() + timedelta(days=3), reason="moves soon")
    page = console()

    addresses = {
        "list": LIST, "runs": RUNS, "run": f"{RUNS}{run.pk}/change/", "delta": f"{LIST}{ended.pk}/change/",
        "groups": GROUPS,
    }  # fmt: skip
    seen = {name: look_at(page, name, address) for name, address in addresses.items()}

    assert not faults(seen)
