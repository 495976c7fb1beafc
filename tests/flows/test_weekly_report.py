"""The weekly report: once a week whoever looks and whatever dies, by mail and in chat, without revenue for others."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from gates.models import ReviewItem
from ledger import clock
from ledger.models import Action, LedgerRow
from meshline.kpis import computing, reading, weekly
from meshline.kpis.models import KpiReport
from sync.actions.report import KIND
from sync.reconcile import weekly as reconciliation
from sync.slack.models import SlackMessage
from tests import factories as f
from tests.flows.chat import Chat, said
from tests.flows.test_checklists import messages
from tests.people.cast import person

TO = ["cfo@meshline.example", "ops@meshline.example"]


@pytest.fixture
def office(chat: Chat, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Monday morning, with a mail server, a channel of who leads revenue operations, and a week behind it."""
    port = chat.world.sandbox.books("mail")["objects"]["smtp_port"]
    mail = {
        "base_url": f"smtp://127.0.0.1:{port}", "webhook_secrets": "", "host": "127.0.0.1", "port": port, "user": "",
        "backend": "django.core.mail.backends.smtp.EmailBackend", "password": "", "tls": "none", "timeout": 10,
        "from": "onboarding@meshline.example",
    }  # fmt: skip
    slack = {**settings.MESHLINE_PROVIDERS["slack"]}
    slack["channels"] = {**slack["channels"], reconciliation.GROUP: "C0BILLING"}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "mail": mail, "slack": slack}
    settings.MESHLINE_REPORT_TO, settings.MESHLINE_PUBLIC_URL = TO, "https://console.example"
    person("Revenue Ops Lead", email="CFO@meshline.example")
    person("Support", email="ops@meshline.example")
    f.EventFactory(state="processed", received_at=computing.begins(reading.monday()) - timedelta(days=8))
    f.ContractFactory(dunning=owed())
    monkeypatch.setattr(weekly, "FROM", timedelta())
    computing.run()
    return chat


def owed() -> dict[str, Any]:
    at = computing.begins(reading.monday()) - timedelta(days=2)
    failed = int((at - timedelta(days=1)).timestamp())
    return {"in_1": {"first_failed": failed, "amount_due": 12_300, "currency": "eur", "paid_at": int(at.timestamp())}}


def test_it_is_made_once_waits_for_mail_and_says_no_more_than_its_reader_may_see(
    office: Chat, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:  # in the middle: nothing of it stays
        dying.setattr(weekly, "_send", killed)
        with pytest.raises(KeyboardInterrupt):
            weekly.run()
    assert (KpiReport.objects.count(), ReviewItem.objects.count(), Action.objects.count()) == (0, 0, 0)

    office.world.fault({"provider": "mail", "kind": "rate_limit", "count": 1})
    assert weekly.run() == "made, 2 letters"
    assert weekly.run() == "made already"
    with pytest.raises(IntegrityError):
        weekly.make(reading.monday())
    office.settle(1)
    assert weekly.letters(KpiReport.objects.get())["applied"] >= 1
    office.world.settle(0.4)
    office.settle()

    one = KpiReport.objects.get()
    assert weekly.letters(one) == {"applied": 2}
    letters = {mail["recipients"][0]: mail["text"] for mail in messages(office.world)}
    assert sorted(letters) == TO
    for text in letters.values():
        assert "SLA met: " in text
        assert "Human queue backlog: 0 (" in text
        assert "Differences open: 0" in text
        assert "https://console.example/admin/kpis/" in text
    assert "Revenue recovered: 123.00 EUR" in letters[TO[0]]
    assert "123" not in letters[TO[1]]
    assert "@" not in str(list(Action.objects.values_list("params", "preview", "facts")))
    assert "@" not in str(list(LedgerRow.objects.values_list("inputs", "reasons")))

    item = ReviewItem.objects.get()
    assert (item.kind, SlackMessage.objects.get(item=item).state) == (reconciliation.ITEM, "posted")
    shown = said(office.messages()[-1])
    assert "SLA met: " in shown
    assert "Differences open: 0" in shown
    assert "Revenue recovered" not in shown

    settings.MESHLINE_REPORT_TO = []  # next week: nobody is named; it is made all the same and stays readable
    next_week = clock.now() + timedelta(days=7)
    monkeypatch.setattr(clock, "now", lambda: next_week)
    assert weekly.run() == "made, 0 letters"
    assert KpiReport.objects.latest("week").lines[0].startswith("Reconciliation backlog: ")
    assert ReviewItem.objects.exclude(state="resolved").count() == 1
    assert Action.objects.filter(kind=KIND).count() == 2
