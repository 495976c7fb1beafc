"""What customers and agents do in the help desk."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need
from sync.sandbox.zendesk.tickets import Change, Refused

if TYPE_CHECKING:
    from sync.sandbox.zendesk.simulator import Zendesk

AGENT_ID = 4711


def _agent(zendesk: "Zendesk", params: Json) -> int:
    if AGENT_ID not in zendesk.desk.users:
        zendesk.desk.add_user("Ada Agent", "ada@sandbox.test", role="agent", user_id=AGENT_ID)
    return int(params.get("agent_id", AGENT_ID))


def _ticket(zendesk: "Zendesk", params: Json) -> Json:
    try:
        return zendesk.desk.get(str(need(params, "ticket")))
    except Refused as error:
        raise PlayError(str(error)) from error


def _change(zendesk: "Zendesk", params: Json, given: Json) -> Json:
    ticket = _ticket(zendesk, params)
    try:
        change = zendesk.desk.update(ticket, given, _agent(zendesk, params))
    except Refused as error:
        raise PlayError(f"{error} {error.body.get('details', '')}") from error
    return _told(zendesk, change)


def _told(zendesk: "Zendesk", change: Change) -> Json:
    result = {"ticket": change.ticket["id"], "updated_at": change.ticket["updated_at"], "events": zendesk.tell(change)}
    return {**result, **({"comment": change.comment["id"]} if change.comment else {})}


def create_ticket(zendesk: "Zendesk", params: Json) -> Json:
    """A customer writes: `subject`, `body`, `email`, `name`, `external_id`, `tags`, `status`, `form`, `fields`."""
    requester = {"name": params.get("name", "Customer"), "email": params.get("email", "customer@example.test")}
    plain = ("subject", "external_id", "tags", "status", "priority", "type")
    given = {name: params[name] for name in plain if name in params}
    given["custom_fields"] = [{"id": int(name), "value": value} for name, value in params.get("fields", {}).items()]
    if "form" in params:
        given["ticket_form_id"] = int(params["form"])
    comment = {"body": params.get("body", "Hello"), "public": params.get("public", True)}
    try:
        change = zendesk.desk.create({**given, "requester": requester, "comment": comment}, _agent(zendesk, params))
    except Refused as error:
        raise PlayError(str(error)) from error
    return {**_told(zendesk, change), "requester": change.ticket["requester_id"]}


def agent_comment(zendesk: "Zendesk", params: Json) -> Json:
    """An agent comments on `ticket`: `body`, `public`."""
    comment = {"body": params.get("body", "Looking into it"), "public": bool(params.get("public", False))}
    return _change(zendesk, params, {"comment": comment})


def set_status(zendesk: "Zendesk", params: Json) -> Json:
    """An agent sets `status` of `ticket`."""
    return _change(zendesk, params, {"status": need(params, "status")})


def set_tags(zendesk: "Zendesk", params: Json) -> Json:
    """An agent replaces the `tags` of `ticket`."""
    return _change(zendesk, params, {"tags": need(params, "tags")})


def set_fields(zendesk: "Zendesk", params: Json) -> Json:
    """An agent fills in `fields` of `ticket`: custom fields by their numbers."""
    given = [{"id": int(name), "value": value} for name, value in need(params, "fields").items()]
    return _change(zendesk, params, {"custom_fields": given})


def merge(zendesk: "Zendesk", params: Json) -> Json:
    """`ticket` goes into the ticket `into`."""
    target = _ticket(zendesk, {"ticket": need(params, "into")})
    ticket = _ticket(zendesk, params)
    events = zendesk.remove(ticket, _agent(zendesk, params), "merged", {"target_ticket_id": str(target["id"])})
    return {"ticket": ticket["id"], "into": target["id"], "events": events}


def delete_ticket(zendesk: "Zendesk", params: Json) -> Json:
    """An agent deletes `ticket`."""
    ticket = _ticket(zendesk, params)
    return {"ticket": ticket["id"], "events": zendesk.remove(ticket, _agent(zendesk, params), "soft_deleted", {})}


def add_user(zendesk: "Zendesk", params: Json) -> Json:
    """A user: `name`, `email`, `external_id`."""
    external = params.get("external_id")
    user = zendesk.desk.add_user(str(need(params, "name")), str(need(params, "email")), external_id=external)
    return {"user": user["id"]}


def add_organization(zendesk: "Zendesk", params: Json) -> Json:
    """An organization: `name`, `external_id`."""
    number = zendesk.ids.number("organization", 509974)
    row = {"id": number, "name": str(need(params, "name")), "external_id": params.get("external_id")}
    zendesk.desk.organizations[number] = row
    return {"organization": number}


def set_options(zendesk: "Zendesk", params: Json) -> Json:
    """`update_limit`: updates of one ticket in ten minutes, 0 for none; `search_lag_s`: delay of the search index."""
    zendesk.desk.update_limit = int(params.get("update_limit", zendesk.desk.update_limit))
    zendesk.search_lag_s = float(params.get("search_lag_s", zendesk.search_lag_s))
    return {"update_limit": zendesk.desk.update_limit, "search_lag_s": zendesk.search_lag_s}


PLAYS: Mapping[str, Callable[["Zendesk", Json], Json]] = {
    "create_ticket": create_ticket,
    "agent_comment": agent_comment,
    "set_status": set_status,
    "set_tags": set_tags,
    "set_fields": set_fields,
    "merge": merge,
    "delete_ticket": delete_ticket,
    "add_user": add_user,
    "add_organization": add_organization,
    "set_options": set_options,
}
