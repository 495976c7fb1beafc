"""The Stripe simulator: authentication, versions, keys, routing, books and events."""

import base64
import binascii
import hashlib
import hmac
import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from sync.sandbox import keys
from sync.sandbox.courier import Parcel, Target
from sync.sandbox.faults import Plan, Rule
from sync.sandbox.stripe import forms, portal, shapes
from sync.sandbox.stripe.api import ROUTES
from sync.sandbox.stripe.errors import ApiError, parameter_unknown
from sync.sandbox.stripe.idempotency import KeyStore, fingerprint_of
from sync.sandbox.stripe.objects import Listing
from sync.sandbox.stripe.plays import PLAYS
from sync.sandbox.stripe.store import Account
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import PlayError, Simulator, World

EVENT_DAYS = 30
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(slots=True)
class Call:
    """One API call as the handlers see it."""

    request: Request
    params: Json
    request_id: str
    key: str
    date: str
    version: str
    now: int

    @property
    def expand(self) -> list[str]:
        """What the caller wants filled in."""
        wanted = self.params.get("expand", [])
        return [str(one) for one in wanted] if isinstance(wanted, list) else [str(wanted)]


class Stripe(Simulator):
    """Stripe accounts in test mode: which one a call is for is told by its key."""

    name = "stripe"
    stores_errors = True
    verbs: ClassVar = PLAYS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.accounts = {name: Account() for name in ("", *keys.STRIPE_ACCOUNTS)}
        self.stores = {name: KeyStore() for name in self.accounts}
        self._here = threading.local()
        target = Target(secrets=[keys.STRIPE_WEBHOOK_SECRET], options={"api_version": shapes.NEWEST})
        world.courier.attach(self.name, self.sign, self.retry_wait, target)

    @property
    def at(self) -> str:
        """The account that this thread works for; "" is the first one."""
        return str(getattr(self._here, "account", ""))

    @property
    def account(self) -> Account:
        """Everything that account holds."""
        return self.accounts[self.at]

    def play(self, verb: str, params: Json) -> Json:
        """Make something happen in the first account, or in the one that `account` names."""
        given = dict(params)
        self._here.account = str(given.pop("account", ""))
        if self.at not in self.accounts:
            raise PlayError(f"no account {self.at}; there are {', '.join(filter(None, self.accounts))}")
        try:
            return super().play(verb, given)
        finally:
            self._here.account = ""

    def answer(self, request: Request, plan: Plan) -> Reply:
        """Authenticate, honour the key, dispatch."""
        if request.path.startswith(portal.PAGES):
            return portal.page(self, request)
        request_id = f"req_{self.ids.text('req', 14)}"
        try:
            call = self._read(request, plan, request_id)
            reply = self._keyed(call, plan) if call.key else self._worked(call, plan)
        except ApiError as error:
            reply = error.reply()
        reply.headers["Request-Id"] = request_id
        return reply

    def _read(self, request: Request, plan: Plan, request_id: str) -> Call:
        self._here.account = _account_with(_key_in(request.headers.get("authorization", "")))
        version = request.headers.get("stripe-version") or shapes.NEWEST
        if plan.rule is not None and plan.rule.kind == "schema_drift":
            version = str(plan.rule.options.get("version", version))
        params = forms.decode(request.query)
        if request.body:
            params.update(forms.decode(request.body.decode("utf-8", "replace")))
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        return Call(request, params, request_id, key, shapes.date_of(version), version, self.clock.stamp())

    def _keyed(self, call: Call, plan: Plan) -> Reply:
        """A POST with a key: the first result is kept once the endpoint has begun, whatever it was."""
        path = call.request.path
        print_of = fingerprint_of(call.request.method, path, call.params)
        kept = self.stores[self.at]
        stored = kept.begin(call.key, print_of, call.request_id, self.clock.now())
        if stored is not None:
            return stored
        try:
            reply = self._worked(call, plan)
        except ApiError as error:
            if not error.executed:
                kept.forget(call.key)
                raise
            reply = error.reply()
        except BaseException:
            kept.forget(call.key)
            raise
        kept.finish(call.key, reply)
        return reply

    def _worked(self, call: Call, plan: Plan) -> Reply:
        plan.work()
        rule = plan.rule if plan.rule is not None and plan.rule.options.get("stored") else None
        if rule is not None and rule.kind == "error_before":
            return self.fault_reply(rule) or Reply(500)
        with self.lock:
            reply = self._dispatch(call)
        if rule is not None and rule.kind == "error_after":
            return self.fault_reply(rule) or reply
        return reply

    def _dispatch(self, call: Call) -> Reply:
        parts = call.request.path.strip("/").split("/")
        if len(parts) > 2 and parts[1] in ("radar", "billing_portal"):
            parts[1:3] = ["/".join(parts[1:3])]
        resource = parts[1] if len(parts) > 1 else ""
        object_id = parts[2] if len(parts) > 2 else ""
        verb = parts[3] if len(parts) > 3 else ""
        if object_id in ("search", "create_preview"):
            object_id, verb = "", object_id
        route = ROUTES.get((call.request.method, resource, bool(object_id), verb))
        if route is None or parts[0] != "v1" or len(parts) > 4:
            text = f"Unrecognized request URL ({call.request.method}: {call.request.path})."
            raise ApiError(404, text, executed=False)
        if route.allowed is not None:
            for name in call.params:
                if name not in route.allowed and name != "expand":
                    raise parameter_unknown(name)
        result = route.handler(self, call, object_id)
        headers = {"Stripe-Version": call.version}
        if call.key:
            headers["Idempotency-Key"] = call.key
        return json_reply(200, self._shown(result, call), headers)

    def _shown(self, result: Any, call: Call) -> Json:
        if isinstance(result, Listing):
            inner = [one.removeprefix("data.") for one in call.expand if one.startswith("data.")]
            data = [self.expanded(row, call.date, inner) for row in result.rows]
            if result.search:
                return {"object": "search_result", "url": f"/v1/{result.path}/search", "has_more": result.has_more,
                        "next_page": None, "data": data}  # fmt: skip
            return {"object": "list", "url": f"/v1/{result.path}", "has_more": result.has_more, "data": data}
        return self.expanded(result, call.date, call.expand)

    def expanded(self, row: Json, date: str, expand: list[str]) -> Json:
        """The object in this shape; one level of references filled in, and an invoice's payments, where asked for."""
        shown = shapes.render(row, date)
        for name in expand:
            head = name.partition(".")[0]
            if head == "payments" and row["object"] == "invoice" and date >= shapes.BASIL:
                paid = self.account.invoice_payments.where("invoice", row["id"])
                data = [shapes.render(one, date) for one in paid]
                url = f"/v1/invoice_payments?invoice={row['id']}"
                shown["payments"] = {"object": "list", "data": data, "has_more": False, "url": url}
            elif isinstance(shown.get(head), str):
                found = self.account.find(shown[head])
                shown[head] = shown[head] if found is None else shapes.render(found, date)
        return shown

    def effect(self, call: Call, row: Json, summary: str) -> None:
        """Book one change that an API call has made."""
        given = call.params.get("metadata")
        action = str(given.get("meshline_action", "")) if isinstance(given, dict) else ""
        self.book.effect(call.request, key=call.key, action=action, target=row["id"], summary=summary)

    def emit(
        self, event_type: str, row: Json, *, call: Call | None = None, previous: Json | None = None,
        created: int | None = None, version: str = "", verbatim: bool = False,
    ) -> str:  # fmt: skip
        """Record an event as it is now and hand it to the courier; what it shows never changes afterwards.

        `verbatim`: the object is shown as given, in no version's shape.
        """
        used = version or str(self.world.courier.targets[self.name].options["api_version"])
        date = shapes.date_of(used)
        shown = row if verbatim else shapes.render(row, date)
        cause = {"id": call.request_id, "idempotency_key": call.key or None} if call else None
        event: Json = {
            "id": f"evt_1{self.ids.text('evt')}", "object": "event", "api_version": used,
            "created": self.clock.stamp() if created is None else created, "type": event_type, "livemode": False,
            "pending_webhooks": 1, "request": cause or {"id": None, "idempotency_key": None},
            "data": {"object": shown, **({"previous_attributes": previous} if previous else {})},
        }  # fmt: skip
        self.account.events.add(event)
        self.post(event)
        return str(event["id"])

    def post(self, event: Json) -> None:
        """Hand an event to the courier."""
        body = json_reply(200, event).body
        extra = {"account": self.at} if self.at else {}
        self.world.courier.send(Parcel(self.name, event["id"], event["type"], body, extra))

    def fault_reply(self, rule: Rule) -> Reply | None:
        """Stripe's refusals."""
        headers = {"Request-Id": f"req_{self.ids.text('req', 14)}"}
        if rule.kind == "rate_limit":
            code = str(rule.options.get("code", "rate_limit"))
            if code == "rate_limit":
                headers["Stripe-Rate-Limited-Reason"] = str(rule.options.get("reason", "global-rate"))
            if "retry_after" in rule.options:
                headers["Retry-After"] = str(rule.options["retry_after"])
            reply = ApiError(429, "Request rate limit exceeded. Learn more about rate limits.", code=code).reply()
        elif rule.kind == "expire_auth":
            reply = ApiError(401, "Expired API Key provided: sk_test_****", code="api_key_expired").reply()
        else:
            text = "An unknown error occurred. Sorry about that! We have been notified of the problem."
            reply = ApiError(int(rule.options.get("status", 500)), text, kind="api_error").reply()
        reply.headers.update(headers)
        return reply

    def objects(self) -> Json:
        """All tables, without the private members; those of a further account as `customers@eu`."""
        tables = {
            f"{table.path}@{name}" if name else table.path: table.rows
            for name, account in self.accounts.items() for table in account.tables() if table.rows or not name
        }  # fmt: skip
        return {
            name: {key: {m: v for m, v in row.items() if m[0] != "_"} for key, row in rows.items()}
            for name, rows in tables.items()
        }

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """`Stripe-Signature` with one `v1` for each live secret."""
        stamp = int(time.time()) + int(extra.get("skew_s", 0))
        if extra.get("account"):
            secrets = [keys.STRIPE_ACCOUNTS[str(extra["account"])][1]]
        signed = f"{stamp}.".encode() + body
        marks = [f"v1={hmac.new(one.encode(), signed, hashlib.sha256).hexdigest()}" for one in secrets]
        return {"Stripe-Signature": ",".join([f"t={stamp}", *marks]), "User-Agent": "Stripe/1.0"}

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """Every failure is tried again, with growing distance."""
        return RETRY_SECONDS[attempt - 1] if attempt <= len(RETRY_SECONDS) else None


def _account_with(key: str) -> str:
    """The account of a key."""
    found = {keys.STRIPE_API_KEY: "", **{pair[0]: name for name, pair in keys.STRIPE_ACCOUNTS.items()}}.get(key)
    if found is None:
        raise ApiError(401, "Invalid API Key provided: sk_test_****", executed=False)
    return found


def _key_in(authorization: str) -> str:
    """The API key, as bearer token or in the old way as user name."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
