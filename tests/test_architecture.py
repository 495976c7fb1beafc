"""The rules of the house that a reader relies on: direction, size, purity, clean templates."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "ledger": set(),
    "gates": {"ledger"},
    "sync": {"gates", "ledger"},
    "meshline": {"sync", "gates", "ledger"},
}
PURE = (
    "gates/decide.py",
    "gates/types.py",
    "gates/rules/*.py",
    "gates/playbooks/*.py",
    "sync/retry.py",
    "sync/wiretypes.py",
)
IMPURE = (
    "django",
    "rest_framework",
    "requests",
    "urllib",
    "socket",
    "ledger.models",
    "ledger.clock",
    "time",
    "psycopg",
)
SANDBOX_USERS = (
    "sync/sandbox/",
    "sync/management/commands/sandbox.py",
    "meshline/demo",
    "meshline/management/commands/demo.py",
)
STATE_WRITERS = ("ledger/states.py", "ledger/claim.py")
FILE_LINES, FUNCTION_LINES = 400, 60
MACHINE_PATH = re.compile(r"[\"'(\s](/home/|/root/|/Users/|/work/|/opt/wheels|\.\./shared|shared/(?:design|providers))")
UPDATE_STATE = re.compile(r"\.update\([^)]*\bstate\s*=", re.DOTALL)
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>|<style[\s>]|\sstyle\s*=|\son[a-z]+\s*=|javascript:|\shx-on|hx-vals=.js:",
    re.IGNORECASE,
)
COMMENT = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}", re.DOTALL)

MODULES = sorted(path for app in ALLOWED for path in (ROOT / app).rglob("*.py"))
CODE = [path for path in MODULES if "migrations" not in path.parts]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEMPLATES = sorted(path for folder in ("templates", *ALLOWED) for path in (ROOT / folder).rglob("*.html"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name(path))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, as a dotted path, `from x import y` as x.y."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def matching(patterns: tuple[str, ...]) -> list[Path]:
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


@pytest.mark.parametrize("app", ALLOWED)
def test_imports_go_down(app):
    ours = set(ALLOWED)
    wrong = [
        f"{name(path)} imports {module}"
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == app
        for module in imports(path)
        if (top := module.partition(".")[0]) in ours - {app} - ALLOWED[app] or top == "tests"
    ]

    assert wrong == []


def test_simulators_are_imported_by_tests_and_their_commands_only():
    wrong = [
        f"{name(path)} imports {module}"
        for path in MODULES
        if not name(path).startswith(SANDBOX_USERS)
        for module in imports(path)
        if module.startswith("sync.sandbox")
    ]

    assert wrong == []


def test_pure_modules_know_neither_framework_nor_clock():
    wrong = [
        f"{name(path)} imports {module}"
        for path in matching(PURE)
        for module in imports(path)
        if any(module == word or module.startswith(f"{word}.") for word in IMPURE)
    ]

    assert wrong == []


def test_files_and_functions_are_small():
    long_files = [name(path) for path in CODE + TESTS if len(path.read_text().splitlines()) > FILE_LINES]
    long_functions = [
        f"{name(path)}:{node.name}"
        for path in CODE + TESTS
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    ]

    assert (long_files, long_functions) == ([], [])


def test_no_import_hides_inside_a_function():
    hidden = [
        f"{name(path)}:{inner.lineno}"
        for path in CODE + TESTS
        for node in functions(path)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert hidden == []


def test_every_module_says_what_lives_in_it():
    silent = [name(path) for path in CODE if path.read_text().strip() and not ast.get_docstring(tree(path))]

    assert silent == []


def test_state_is_set_by_transitions_only():
    wrong = [name(path) for path in CODE if name(path) not in STATE_WRITERS and UPDATE_STATE.search(path.read_text())]

    assert wrong == []


def test_code_names_no_machine():
    wrong = [name(path) for path in MODULES if MACHINE_PATH.search(path.read_text())]

    assert wrong == []


def test_templates_carry_no_inline_script_or_style():
    wrong = [
        f"{name(path)}: {found.group(0)}"
        for path in TEMPLATES
        for found in INLINE.finditer(COMMENT.sub("", path.read_text()))
    ]

    assert wrong == []


def test_ledger_and_gates_use_no_vendor_words():
    vendors = re.compile(r"stripe|netsuite|zendesk|pipedrive|pagerduty", re.IGNORECASE)
    wrong = [
        f"{name(path)}:{number}"
        for path in CODE
        if path.relative_to(ROOT).parts[0] in ("ledger", "gates")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if vendors.search(line)
    ]

    assert wrong == []


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
