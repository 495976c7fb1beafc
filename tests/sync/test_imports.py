"""Files of links: what is read, what is refused with its row and reason, and that nothing is written unconfirmed."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from gates.stop import Refused
from ledger import verify
from ledger.models import ExternalId, LedgerRow
from meshline import subjects
from sync.imports import links, reading, upkeep
from sync.models import LinkImport, LinkImportRow, PortalLink
from tests import factories as f

HEAD = "internal_id,stripe_id,email\n"


def wrong(text):
    return {one.number: one.wrong for one in reading.read((HEAD + text).encode())}


def refused(raw):
    with pytest.raises(Refused) as refusal:
        reading.read(raw)
    assert refusal.value.status == 422
    assert refusal.value.message.startswith("file: ")
    return refusal.value.message


def test_rows_are_read_in_the_forms_spreadsheets_write():
    plain = reading.read(b"internal_id,stripe_id\n12,cus_A1\n")
    fancy = reading.read('\ufeff"Stripe ID";"NetSuite Internal ID";Name\r\n\r\n"cus_A1"; 12 ;"a\nb"\r\n'.encode())

    assert [(one.internal_id, one.stripe_id, one.wrong) for one in plain] == [("12", "cus_A1", "")]
    assert [(one.internal_id, one.stripe_id, one.wrong) for one in fancy] == [("12", "cus_A1", "")]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("=1+1,cus_A,", "formula"), ("+12,cus_A,", "formula"), ("-12,cus_A,", "formula"), ("@12,cus_A,", "formula"),
        ("＝12,cus_A,", "formula"), ("12,＠cus_A,", "formula"), ("12,\u200b=cus_A,", "formula"),
        ('12,"\tcus_A",', "formula"), ('12,cus_A,"=HYPERLINK(""http://x"")"', "formula"),
        ("12,cus_A\x00,", "NUL"), ('"1\n2",cus_A,', "several lines"), (",cus_A,", "empty"), ("12,,", "empty"),
        ("twelve,cus_A,", "a number"), ("12,sub_A,", "cus_"), ("12,cus_A'--,", "cus_"), ("12,cus_A", "cells"),
        ("12,cus_A,a@b.example,x", "cells"), ("12,cus_A,a@b.example;c@d.example", "cells|several"),
        ('12,cus_A,"a@b.example, c@d.example"', "several"), ("12,cus_A,nobody", "no address"),
        (f"12,cus_{'A' * 300},", "characters"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_its_reason(cells, reason):
    found = wrong(f"11,cus_good,\n{cells}\n")

    assert found[2] == ""
    assert any(word in found[3] for word in reason.split("|")), found


def test_twins_are_both_refused():
    found = wrong("1,cus_A,\n2,cus_A,\n3,cus_B,\n3,cus_C,\n4,cus_D,\n")

    assert [bool(one) for one in found.values()] == [True, True, True, True, False]
    assert found[2] == "stripe_id: the same in rows 2, 3"
    assert found[5] == "internal_id: the same in rows 4, 5"


def test_a_file_that_cannot_be_read_says_why():
    assert "UTF-16" in refused((HEAD + "1,cus_A,\n").encode("utf-16"))
    assert "UTF-16" in refused((HEAD + "1,cus_A,\n").encode("utf-16-le"))
    assert "line 2 is not UTF-8" in refused((HEAD + "1,cus_A,Müller@x.example\n").encode("latin-1"))
    assert "it is empty" in refused(b"")
    assert "it is empty" in refused(b"\n\n")
    assert "no rows" in refused(HEAD.encode())
    assert "stripe_id" in refused(b"internal_id,email\n1,a@b.example\n")
    assert "2 times" in refused(b"internal_id,internal id,stripe_id\n1,2,cus_A\n")
    assert "at most 5 MB" in refused(b"x" * (reading.MAX_BYTES + 1))
    assert "50,000 rows" in refused((HEAD + "1,cus_A,\n" * (reading.MAX_ROWS + 1)).encode())
    assert "quote" in refused((HEAD + '1,"cus_A,\n').encode())
    assert "'=cmd" in refused(b"=cmd|calc,b\n1,2\n")


def importer(*groups):
    user = f.UserFactory(groups=groups)
    user.user_permissions.add(Permission.objects.get(codename="import_links"))
    return user


@pytest.fixture
def world(db, sandbox):
    """Customers with ERP ids, and customers at Stripe with and without trouble."""
    ids = {}
    for name in ("good", "mail", "taken", "gone", "same", "other"):
        said = {"name": name, "email": f"{name}@x.example"}
        ids[name] = sandbox.post("/_play/stripe/create_customer", said)["customer"]
    sandbox.post("/_play/stripe/delete_customer", {"customer": ids["gone"]})
    owners = {}
    for number in range(101, 108):
        owners[number] = f.CustomerFactory()
        f.ExternalIdFactory(system="netsuite", kind="customer", value=str(number), customer=owners[number])
    for number, name in ((105, "same"), (106, "taken")):
        f.ExternalIdFactory(system="stripe", kind="customer", value=ids[name], customer=owners[number])
    return {"sandbox": sandbox, "ids": ids, "owners": owners, "by": importer()}


def sheet(ids):
    rows = [
        f"101,{ids['good']},", f"102,{ids['mail']},MAIL@x.example", f"103,{ids['taken']},", f"104,{ids['gone']},",
        f"105,{ids['same']},", f"106,{ids['other']},", "107,cus_nobody,", "999,cus_free,", "=1,cus_x,",
    ]  # fmt: skip
    return (HEAD + "\n".join(rows) + "\n").encode()


def begun(world, raw=None):
    batch = links.begin(raw or sheet(world["ids"]), by=world["by"], name="links.csv")
    return links.check(batch.pk)


def test_each_row_is_verified_and_nothing_is_written_before_a_person_confirms(world):
    known = ExternalId.objects.count()
    batch = begun(world)

    found = {one.internal_id: (one.verdict, one.reason) for one in LinkImportRow.objects.filter(batch=batch)}
    assert found["101"] == found["102"] == ("link", "")
    assert found["105"] == ("same", "")
    said = {
        "103": "linked to another customer", "104": "was deleted in Stripe",
        "106": f"linked to {world['ids']['taken']}",
        "107": "no such customer", "999": "nobody here has this ERP id", "=1": "formula",
    }  # fmt: skip
    assert {number for number, (verdict, _) in found.items() if verdict == "bad"} == set(said)
    assert [number for number, words in said.items() if words not in found[number][1]] == []
    assert batch.counts == {"link": 2, "same": 1, "bad": 6}
    assert (ExternalId.objects.count(), PortalLink.objects.count()) == (known, 0)

    links.confirm(batch.pk, by=world["by"], digest_seen=batch.digest, reason="moved over")
    linked = ExternalId.objects.filter(system="stripe", customer=world["owners"][101]).get()
    assert (linked.value, linked.linked_by) == (world["ids"]["good"], f"user:{world['by'].pk}")
    assert (ExternalId.objects.count(), PortalLink.objects.filter(state="active").count()) == (known + 2, 2)
    rows = LedgerRow.objects.filter(decision="link", subject_kind="customer")
    assert sorted(one.inputs["id"] for one in rows) == sorted([world["ids"]["good"], world["ids"]["mail"]])
    assert not LinkImportRow.objects.exclude(email="").exists()
    assert not any("@" in json.dumps(one.inputs) + json.dumps(one.reasons) for one in LedgerRow.objects.all())
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None
    with pytest.raises(Refused, match="applied"):
        links.confirm(batch.pk, by=world["by"], digest_seen=batch.digest, reason="again")


def test_a_wrong_address_or_mode_is_refused(world):
    ids = world["ids"]
    world["sandbox"].faults(
        {"provider": "stripe", "rules": [{"kind": "answer", "path": f"/v1/customers/{ids['good']}",
                                          "body": {"id": ids["good"], "object": "customer", "livemode": True}}]}
    )  # fmt: skip
    batch = begun(world, (HEAD + f"101,{ids['good']},\n102,{ids['mail']},else@x.example\n").encode())

    found = {one.internal_id: one.reason for one in LinkImportRow.objects.filter(batch=batch)}
    assert "live mode customer" in found["101"]
    assert found["102"].startswith("email: Stripe has another address")


def test_what_changed_since_it_was_shown_is_not_written(world):
    batch, known = begun(world), ExternalId.objects.count()
    for digest in ("", "0" * 64):
        with pytest.raises(Refused, match="not those that were shown"):
            links.confirm(batch.pk, by=world["by"], digest_seen=digest, reason="x")
    f.ExternalIdFactory(system="stripe", kind="customer", value="cus_meanwhile", customer=world["owners"][101])

    with pytest.raises(Refused, match="nothing was written"):
        links.confirm(batch.pk, by=world["by"], digest_seen=batch.digest, reason="x")

    assert (ExternalId.objects.count(), PortalLink.objects.count()) == (known + 1, 0)
    batch = links.check(batch.pk)
    assert (batch.state, batch.counts) == ("ready", {"link": 1, "same": 1, "bad": 7})
    with pytest.raises(Refused):
        links.confirm(batch.pk, by=f.UserFactory(), digest_seen=batch.digest, reason="x")
    links.discard(batch.pk, by=world["by"], reason="wrong file")
    assert not LinkImportRow.objects.exists()
    assert LedgerRow.objects.filter(subject_kind="link_import", outcome="refused").count() == 1


def test_an_import_waits_while_stripe_is_down_and_ends_after_a_day(world, monkeypatch):
    world["sandbox"].faults({"provider": "stripe", "rules": [{"kind": "error_before", "status": 500}]})
    batch = begun(world)
    assert (batch.state, links.waiting(batch.pk)) == ("checking", 5)
    world["sandbox"].faults({"provider": "*", "rules": []})
    assert upkeep.job(batch.pk) == "0 rows wait"
    assert LinkImport.objects.get().state == "ready"
    LinkImport.objects.update(expires_at=LinkImport.objects.get().asked_at)
    with pytest.raises(Refused, match="more than a day"):
        links.confirm(batch.pk, by=world["by"], digest_seen=LinkImport.objects.get().digest, reason="x")

    assert upkeep.run() == "1 imports expired"
    assert (LinkImport.objects.get().state, LinkImportRow.objects.count()) == ("expired", 0)


def test_the_command_shows_a_diff_and_links_only_with_yes(world, tmp_path, capsys):
    file, by = tmp_path / "links.csv", world["by"].username
    file.write_bytes(sheet(world["ids"]))

    with pytest.raises(SystemExit) as ended:
        call_command("import_links", str(file), "--as", by)
    shown = capsys.readouterr().out
    assert ended.value.code == 1
    assert f"row 2: 101: (blank) -> {world['ids']['good']}: will be linked" in shown
    assert "row 10: '=1" in shown
    assert "Nothing was written" in shown
    assert not PortalLink.objects.exists()

    file.write_text(HEAD + f"101,{world['ids']['good']},\n")
    call_command("import_links", str(file), "--as", by, "--yes", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["counts"]) == ("applied", {"link": 1, "same": 0, "bad": 0})
    with pytest.raises(CommandError) as wrong_use:
        call_command("import_links", str(tmp_path / "none.csv"), "--as", by)
    assert wrong_use.value.returncode == 2
    with (tmp_path / "huge.csv").open("wb") as huge:
        huge.truncate(100 * 1024**2)
    with pytest.raises(CommandError, match="at most 5 MB"):
        call_command("import_links", str(tmp_path / "huge.csv"), "--as", by)
