"""H1: every cell of the matrix is tried over HTTP, and every address and method of the product is in it."""

from itertools import groupby

import pytest
from django.db import transaction
from django.urls import URLResolver, get_resolver, resolve

from meshline.console import gate_pages, routing_pages, settings_page, stop_page, verbs
from meshline.console.queue import bulk_words
from tests.people import matrix
from tests.people.matrix import WHO, lines
from tests.people.matrix_world import World, state, touched

pytestmark = pytest.mark.django_db
REFUSED = (401, 403, 404)
SIGN_IN = "/admin/login/"
MAY_BE_DOWN = ("readyz",)  # no worker runs beside this test
HOW_TO = "Add it to tests/people/matrix.py: METHOD, address with {records} of matrix_world, and ten marks."


@pytest.fixture
def world(db):
    return World()


def is_refused(answer):
    """Whether somebody was kept out: a refusal, or the way to the sign-in page."""
    return answer.status_code in REFUSED or (answer.status_code == 302 and answer["Location"].startswith(SIGN_IN))


def tried(world, client, line, *, watched=True, **more):
    """The answer and, where it is watched, which tables it changed; everything is put back."""
    cookies, before = client.cookies.copy(), touched() if watched else {}
    with transaction.atomic():
        answer = world.send(client, line, **more)
        written = [name for name, rows in touched().items() if rows != before.get(name)] if watched else []
        after = state([name for name in written if name in world.before])
        transaction.set_rollback(True)
    client.cookies = cookies
    return answer, sorted(name for name in after if world.before[name] != after[name])


@pytest.mark.parametrize("who", WHO)
def test_every_cell(world, who):
    wrong, client = [], world.client(who)
    for line in lines():
        may = line.marks[WHO.index(who)] == "y"
        answer, changed = tried(world, client, line, watched=not may or line.method == "GET")
        said = f"{who}: {line} -> {answer.status_code}"
        if answer.status_code >= 500 and line.address not in MAY_BE_DOWN:
            wrong.append(f"{said}, broke")
        elif may and is_refused(answer):
            wrong.append(f"{said}, but the table says yes")
        elif not may and not is_refused(answer):
            wrong.append(f"{said}, but the table says no")
        if changed:
            wrong.append(f"{said}, and it changed {', '.join(changed)}")

    assert wrong == [], "\n".join(wrong)


def test_what_is_unknown_looks_like_what_is_forbidden(world):
    told_apart, client = [], world.client("nobody")
    for line in lines():
        if "{" in line.address and line.marks[WHO.index("nobody")] == "-":
            known, _ = tried(world, client, line, watched=False)
            unknown, _ = tried(world, client, line, watched=False, known=False)
            if known.status_code != unknown.status_code:
                told_apart.append(f"{line}: {known.status_code} and {unknown.status_code}")

    assert told_apart == []


def routes(resolver=None, before=""):
    """(route, pattern) of every address."""
    for one in (resolver or get_resolver()).url_patterns:
        route = before + (str(one.pattern).removeprefix("^") if before else str(one.pattern))
        if isinstance(one, URLResolver):
            yield from routes(one, route)
        else:
            yield route, one


def test_every_address_is_in_the_table(world):
    listed = {resolve(world.address(line).partition("?")[0]).route for line in lines()}
    missing = sorted(route for route, _ in routes() if route not in listed)

    assert missing == [], f"{len(missing)} addresses are in no line. {HOW_TO}\n" + "\n".join(missing)


def test_every_method_of_the_api_is_in_the_table(world):
    found = {(resolve(world.address(line)).route, line.method) for line in lines() if line.address.startswith("api/v1")}
    ours = {
        (route, method.upper())
        for route, one in routes()
        if route.startswith("api/v1/")
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(one.callback.cls, method)
    }

    assert sorted(ours - found) == [], HOW_TO


VERBS = {
    "review_verb": verbs.CALLS,
    "stop_verb": stop_page.VERBS,
    "gate_verb": gate_pages.CALLS,
    "my_settings_verb": settings_page.VERBS,
    "routing_verb": {verb for _, verb in routing_pages.VERBS},
    "queue_bulk": bulk_words.VERBS,
}


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_of_the_pages_is_in_the_table(world, name):
    found = [resolve(world.address(line).partition("?")[0]) for line in lines() if line.method == "POST"]

    assert set(VERBS[name]) - {one.kwargs["verb"] for one in found if one.url_name == name} == set(), HOW_TO


def test_no_line_is_written_twice():
    names = sorted(str(line) for line in lines())

    assert [name for name, same in groupby(names) if len(list(same)) > 1] == []


def test_other_methods_change_nothing_for_anybody(world):
    wrong, client = [], world.client("superuser")
    for n, address in enumerate(sorted({line.address for line in lines()})):
        line = matrix.Line(("PUT", "PATCH", "DELETE")[n % 3], address, matrix.NOBODY)
        answer, changed = tried(world, client, line)
        if changed or (answer.status_code >= 500 and address not in MAY_BE_DOWN):
            wrong.append(f"{line}: {answer.status_code}, {changed}")

    assert wrong == []
