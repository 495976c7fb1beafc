"""The published contract of Pipedrive's API: does a request, or an answer, keep to it? Says each way it does not."""

import json
import re
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from tests.sync.payloads import payload

# Newer than the extract, or lost in it (see the README beside it).
NEWER_QUERY = {"include_option_labels"}
PERSON = {"id", "name", "first_name", "last_name", "owner_id", "org_id", "add_time", "update_time", "emails", "phones",
          "is_deleted", "visible_to", "label_ids", "custom_fields", "picture_id"}  # fmt: skip
PLAIN = {"string": str, "boolean": bool, "number": (int, float)}
LITERAL = re.compile(r"'[^']*'|[0-9]+")


@cache
def contract():
    return payload("pipedrive", "contract_extract")


def operation(method, path):
    """The generation and operation of a call, or None."""
    path = path.replace("/api/v1/", "/v1/", 1)
    generation = "v1" if path.startswith("/v1/") else "v2"
    fitting = [
        one
        for one in contract()[generation]["operations"]
        if one["method"] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one["path"]), path)
    ]
    exact = [one for one in fitting if one["path"] == path]
    return generation, (exact or fitting or [None])[0]


def violations(exchange):
    """Every way in which one exchange leaves the contract, as sentences."""
    parts = urlsplit(exchange.path)
    generation, found = operation(exchange.method, parts.path)
    if found is None:
        return [f"no operation {exchange.method} {parts.path}"]
    where = f"{exchange.method} {found['path']}"
    wrong = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in found["query"] and name not in NEWER_QUERY:
            wrong.append(f"{where}: no parameter {name}")
        elif name in found["params"] and not says(found["params"][name]["type"], value):
            wrong.append(f"{where}: parameter {name} is {value!r}")
    if exchange.request_body:
        body = json.loads(exchange.request_body)
        if not found["body"]:
            wrong.append(f"{where}: takes no body")
        else:
            wrong += [f"{where}: {one}" for one in unlike(generation, found["body"], body, "body", is_ours=True)]
    if exchange.status and exchange.status < 300 and found["response"] and not parts.path.endswith("/oauth/token"):
        answer = json.loads(exchange.response_body)
        wrong += [f"{where}: {one}" for one in unlike(generation, found["response"], answer, "answer")]
    return wrong


def says(type_, text):
    """Whether a parameter's text is of its type."""
    if type_ == "number":
        return text.isdecimal()
    if type_ == "boolean":
        return text in ("true", "false")
    literals = re.findall(r"'([^']*)'", type_)
    return text in literals if literals else True


def members(generation, name):
    """All members of a model, its parts included."""
    model = contract()[generation]["models"].get(name, {})
    found = dict(model.get("properties", {}))
    for part in re.findall(r"\w+", f"{model.get('alias', '')} {model.get('extends', '')}"):
        if part != name:
            found |= members(generation, part)
    return found


def unlike(generation, type_, value, where, *, is_ours=False):
    """Every way a value is not of a type in the extract's notation. Answers may leave out or null what they like."""
    if value is None and (not is_ours or "null" in type_):
        return []
    type_ = type_.replace("| null", "").replace("| undefined", "").strip()
    if type_ in ("any", "object") or type_.startswith("{"):
        return []
    if type_ in PLAIN:
        is_it = isinstance(value, PLAIN[type_]) and (type_ == "boolean" or not isinstance(value, bool))
        return [] if is_it else [f"{where} is {type(value).__name__}, not {type_}"]
    if type_.startswith("Array<"):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        inner = type_[6:-1]
        return [one for entry in value for one in unlike(generation, inner, entry, f"{where}[]", is_ours=is_ours)]
    if type_ in contract()[generation]["enums"]:
        known = contract()[generation]["enums"][type_]
        return [] if value in known and not isinstance(value, bool) else [f"{where} is {value!r}, not one of {known}"]
    known = members(generation, type_)
    if not known:
        return [f"{where}: the extract has no {type_}"]
    return unlike_model(generation, type_, known, value, where, is_ours=is_ours)


def unlike_model(generation, type_, known, value, where, *, is_ours):
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    wrong = [
        f"{where} lacks {name}" for name, one in known.items() if is_ours and one["required"] and name not in value
    ]
    for name, member in value.items():
        if name in known:
            wrong += unlike(generation, known[name]["type"], member, f"{where}.{name}", is_ours=is_ours)
        elif not (type_ == "OrganizationItem" and "emails" in value and name in PERSON):
            wrong.append(f"{where} has {name}")
    return wrong
