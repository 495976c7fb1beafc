"""A dozen deals at once while webhooks are doubled and swapped and NetSuite is busy, forgetful and slow."""

from collections import Counter
from typing import Any

from gates.models import ReviewItem
from ledger.models import Action
from tests.flows.deals import books
from tests.flows.world import World

WRONG: dict[int, tuple[dict[str, Any], str]] = {
    3: ({"org": {"tax_id": None}}, "tax registration is missing"),
    8: ({"fields": {"Billing owner": None}}, "billing owner is missing"),
}


def test_each_valid_deal_is_one_customer_with_one_invoice_and_each_other_one_item(crm: World) -> None:
    crm.play("netsuite", "set_options", concurrency=5, job_share=0.3, job_delay_s=0.1)
    crm.fault(
        {"provider": "pipedrive", "kind": "hook_duplicate", "every": 3},
        {"provider": "pipedrive", "kind": "hook_reorder", "every": 4, "window_ms": 200},
        {"provider": "netsuite", "kind": "lost_answer", "method": "PUT", "every": 7},
        {"provider": "netsuite", "kind": "error_before", "status": 503, "method": "PUT", "every": 9},
    )
    deals = [sign_one(crm, number) for number in range(12)]
    valid = {f"Many {number} Oy": deals[number] for number in range(12) if number not in WRONG}

    for _ in range(200):
        crm.settle(0.1)
        if Action.objects.filter(kind="invoice.create", state="applied").count() == len(valid):
            break
    crm.settle(0.2)

    states = list(Action.objects.exclude(state="applied").values_list("kind", "state", "last_error"))
    assert Counter(one["companyName"] for one in books(crm, "customer")) == dict.fromkeys(valid, 1), states
    assert Counter(one["otherRefNum"] for one in books(crm, "invoice")) == dict.fromkeys(
        (f"PD-{deal}" for deal in valid.values()), 1
    )
    items = {one.action.params["deal"]: one.reason for one in ReviewItem.objects.select_related("action") if one.action}
    assert items == {str(deals[number]): names for number, (_, names) in WRONG.items()}
    assert crm.sandbox.books("netsuite")["objects"]["jobs"], "some writes ran as jobs"


def sign_one(crm: World, number: int) -> int:
    """One deal, moved to the signed stage between two other changes."""
    given, _ = WRONG.get(number, ({}, ""))
    org = {"name": f"Many {number} Oy", "tax_id": f"FI{10_000_000 + number}", **given.get("org", {})}
    made = crm.play("pipedrive", "create_deal", **{**given, "org": org})
    crm.play("pipedrive", "edit_deal", deal=made["deal"], title="going")
    crm.play("pipedrive", "move_stage", deal=made["deal"])
    crm.play("pipedrive", "edit_deal", deal=made["deal"], title="gone")
    return int(made["deal"])
