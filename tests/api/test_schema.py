"""The OpenAPI document: valid, without a warning, with every address of ours; its page runs under the policy."""

import os
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from playwright.sync_api import sync_playwright

from gates.models import StopSwitch
from meshline.api.urls import VERSION_1
from tests.api.client import by_session, by_token
from tests.people.cast import person

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(document):
    return {
        (path, method): described
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        if method in METHODS
    }


def template(pattern):
    """`review-items/<int:item_id>/` as the document writes it."""
    words = "/api/v1/" + str(pattern)
    for converter in ("int:", "slug:", "uuid:"):
        words = words.replace(f"<{converter}", "{")
    return words.replace(">", "}")


def test_the_document_is_valid_without_a_warning(tmp_path):
    said = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"), stderr=said)

    assert said.getvalue() == ""


def test_every_address_and_method_is_described(document):
    ours = {
        (template(one.pattern), method) for one in VERSION_1 for method in METHODS if hasattr(one.callback.cls, method)
    }

    assert ours <= set(operations(document))
    assert set(operations(document)) - ours == {("/api/schema/", "get")}
    assert len(ours) >= 40


def test_no_other_address_leads_into_the_api():
    api = [one for one in get_resolver().url_patterns if str(one.pattern) == "api/"]
    assert len(api) == 1
    named = [str(one.pattern) for one in api[0].url_patterns]

    assert [one for one in named if not one.startswith("v1/")] == ["schema/", "docs/", r"^.*\Z"]
    assert len(named) == len(VERSION_1) + 3


def test_each_operation_says_how_it_can_go_wrong(document):
    for (path, method), described in operations(document).items():
        if path == "/api/schema/":
            continue
        answers = set(described["responses"])
        assert {"401", "403", "429"} <= answers, path
        assert described["summary"], path
        assert described["operationId"], path
        if method == "post":
            assert {"404", "409", "422"} <= answers, path
    names = [one["operationId"] for one in operations(document).values()]
    assert len(names) == len(set(names))


def test_fields_say_their_limits(document):
    approve = document["components"]["schemas"]["ApproveBodyRequest"]

    assert set(approve["required"]) == {"state_version", "reason", "preview_hash"}
    assert (approve["properties"]["reason"]["minLength"], approve["properties"]["reason"]["maxLength"]) == (1, 500)
    assert approve["properties"]["state_version"]["minimum"] == 0
    assert document["components"]["securitySchemes"].keys() == {"token", "session"}


@pytest.mark.django_db
def test_document_and_page_are_for_who_may_sign_in():
    StopSwitch.objects.get_or_create(scope="all")
    assert Client().get("/api/schema/").status_code == 401
    assert Client().get("/api/docs/")["Location"].startswith("/admin/login/")

    assert by_token("Support").get("/api/schema/").json()["openapi"].startswith("3.")
    page = by_session("Support").get("/api/docs/")
    assert page.status_code == 200
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: the API's page was looked at by no browser")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as machine:
        started = machine.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.mark.django_db(transaction=True)
def test_the_page_runs_from_our_own_files_under_the_policy(browser, live_server, client):
    StopSwitch.objects.get_or_create(scope="all")
    client.force_login(person("Support"))
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{**cookie, "url": live_server.url}])
    page, complaints, elsewhere = context.new_page(), [], []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda sent: elsewhere.append(sent.url) if not sent.url.startswith(live_server.url) else None)

    page.goto("/api/docs/")
    page.get_by_text("/api/v1/review-items/next/").wait_for(timeout=20_000)

    assert complaints == []
    assert [url for url in elsewhere if not url.startswith("data:")] == []
    context.close()
