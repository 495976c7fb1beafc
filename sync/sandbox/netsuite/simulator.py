"""The NetSuite simulator: sign-in, the account's concurrency, routing, books, and the script that reports changes."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from sync.sandbox import keys
from sync.sandbox.courier import Parcel, Target
from sync.sandbox.faults import Plan, Rule
from sync.sandbox.netsuite import catalog, schema, script
from sync.sandbox.netsuite.auth import ASSERTION_TYPE, SignInError, TokenLogin, check_assertion
from sync.sandbox.netsuite.errors import Refused, crowded, not_found
from sync.sandbox.netsuite.jobs import Jobs
from sync.sandbox.netsuite.plays import PLAYS
from sync.sandbox.netsuite.records import Records, matches
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.netsuite.suiteql import SuiteQl
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Simulator, World, action_in

TOKEN_PATH = "/auth/oauth2/v1/token"  # noqa: S105 - an address
TRANSFORMS = {("customer", "invoice"), ("customer", "salesOrder"), ("salesOrder", "invoice")}
WORDS = {schema.CUSTOMER.name: "customer", schema.CONTRACT.name: "contract"}


class NetSuite(Simulator):
    """One account with a few custom fields and one custom record."""

    name = "netsuite"
    verbs: ClassVar = PLAYS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.account = keys.NETSUITE_ACCOUNT
        self.concurrency = 5
        self.in_flight = 0
        self.token_ttl_s = 3600.0
        self.tokens: dict[str, float] = {}
        self.certificates = {keys.NETSUITE_CERTIFICATE_ID: keys.NETSUITE_PUBLIC_KEY_PEM}
        self.login = TokenLogin(
            self.account, keys.NETSUITE_CONSUMER_KEY, keys.NETSUITE_CONSUMER_SECRET, keys.NETSUITE_TOKEN_ID,
            keys.NETSUITE_TOKEN_SECRET,
        )  # fmt: skip
        self.records = Records(self.ids, self.clock)
        self.sql = SuiteQl()
        self.jobs = Jobs(self.clock)
        target = Target(secrets=[keys.NETSUITE_WEBHOOK_SECRET], max_attempts=1)
        world.courier.attach(self.name, self.sign, self.retry_wait, target)

    @contextmanager
    def admit(self, request: Request) -> Iterator[Reply | None]:
        """The limit counts requests in flight for the whole account; asking for a token is free."""
        if request.path.endswith(TOKEN_PATH):
            yield None
            return
        with self.lock:
            is_full = self.in_flight >= self.concurrency
            self.in_flight += 0 if is_full else 1
            self.book.requests["max_in_flight"] = max(self.book.requests["max_in_flight"], self.in_flight)
        try:
            yield crowded().reply() if is_full else None
        finally:
            with self.lock:
                self.in_flight -= 0 if is_full else 1

    def answer(self, request: Request, plan: Plan) -> Reply:
        """Sign in, then run the call now or as a job."""
        try:
            path = _below_base(request.path)
            if path == TOKEN_PATH:
                return self._token(request)
            self._sign_in(request)
            plan.work()
            if path.startswith("/record/v1/") and self.jobs.takes(request):
                with self.lock:
                    return self.jobs.submit(request, plan.job, lambda: self._locked(request, path))
            return self._locked(request, path)
        except Refused as error:
            return error.reply()

    def _locked(self, request: Request, path: str) -> Reply:
        with self.lock:
            try:
                return self._route(request, path)
            except Refused as error:
                return error.reply()

    def _token(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            return json_reply(400, {"error": "invalid_request"})
        audience = f"{request.origin}{request.raw_path}"
        assertion = form.get("client_assertion", "")
        try:
            check_assertion(assertion, self.certificates, keys.NETSUITE_CLIENT_ID, audience, time.time())
        except SignInError as error:
            self.book.requests["sign_in_refused"] += 1
            return json_reply(401, {"error": "invalid_client", "error_description": error.reason})
        token = f"ns_{self.ids.text('token', 32)}"
        with self.lock:
            self.tokens[token] = self.clock.now() + self.token_ttl_s
        lifetime = str(int(self.token_ttl_s))
        return json_reply(200, {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})

    def _sign_in(self, request: Request) -> None:
        authorization = request.headers.get("authorization", "")
        scheme = authorization.partition(" ")[0].lower()
        try:
            if scheme == "oauth":
                with self.lock:
                    self.login.check(request.method, f"{request.origin}{request.target}", authorization, time.time())
            elif scheme != "bearer" or self.tokens.get(authorization[7:].strip(), 0) <= self.clock.now():
                raise SignInError("invalid_token")
        except SignInError as error:
            self.book.requests["sign_in_refused"] += 1
            reason = 'error="invalid_token", error_description="Invalid login attempt."'
            headers = {"WWW-Authenticate": f'Bearer realm="{self.account}", {reason}'}
            detail = "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI."
            raise Refused(401, "INVALID_LOGIN", detail, headers=headers) from error

    def _route(self, request: Request, path: str) -> Reply:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        area = "/".join(parts[:2])
        if area == "record/v1" and len(parts) > 2:
            return self._record(request, parts[2:])
        if path == "/query/v1/suiteql" and request.method == "POST":
            return self._suiteql(request)
        if area == "async/v1" and parts[2:3] == ["job"] and len(parts) > 3 and request.method == "GET":
            return self.jobs.show(parts[3:])
        if path == "/system/v1/governanceLimits":
            limits = {"accountConcurrencyLimit": self.concurrency, "integrationLimitType": "accountLimit"}
            return json_reply(200, {**limits, "accountUnallocatedConcurrencyLimit": self.concurrency})
        raise not_found(path)

    def _record(self, request: Request, parts: list[str]) -> Reply:
        if parts[0] == "metadata-catalog" and len(parts) == 2 and request.method == "GET":
            return catalog.describe(self.records.type_of(parts[1]))
        kind = self.records.type_of(parts[0])
        key = parts[1] if len(parts) > 1 else ""
        if len(parts) == 4 and parts[2] == "!transform" and request.method == "POST":
            return self._transform(request, kind, key, parts[3])
        if len(parts) > 2:
            raise not_found("/".join(parts))
        if request.method == "GET":
            return self._read(request, kind, key)
        if request.method == "DELETE" and key:
            row = self.records.get(kind, key)
            self.records.delete(kind, row)
            self.sql.erase(kind, row)
            self._booked(request, kind, row, {}, "deleted")
            return Reply(204)
        if (request.method, bool(key)) not in {("POST", False), ("PUT", True), ("PATCH", True)}:
            raise Refused(405, "METHOD_NOT_ALLOWED", f"{request.method} is not allowed here.")
        return self._write(request, kind, key)

    def _write(self, request: Request, kind: RecordType, key: str) -> Reply:
        fields = self._fields(request, kind)
        replace = set(request.query_map().get("replace", "").split(","))
        row = self.records.find(kind, key) if key else None
        if row is None and key and not (request.method == "PUT" and key.lower().startswith("eid:")):
            raise not_found(f"{kind.name} {key}")
        if row is None:
            if key:
                fields["externalId"] = key[4:]
            row = self.records.create(kind, fields)
            return self._saved(request, kind, row, fields, "created")
        self.records.update(kind, row, fields, replace=bool(replace & set(kind.sublists)))
        return self._saved(request, kind, row, fields, "changed")

    def _transform(self, request: Request, kind: RecordType, key: str, target_name: str) -> Reply:
        source = self.records.get(kind, key)
        target = self.records.type_of(target_name)
        if (kind.name, target.name) not in TRANSFORMS:
            raise Refused(400, "INVALID_REQUEST", f"{kind.name} cannot be transformed to {target.name}.")
        fields = self._fields(request, target)
        if kind.name == "customer":
            fields["entity"] = {"id": source["id"], "refName": source.get("entityId", "")}
        else:
            if source.get("status", {}).get("id") == "G":
                raise Refused(400, "USER_ERROR", "Nothing is left to bill on this order.")
            fields.update(entity=source["entity"], createdFrom={"id": source["id"]})
            fields.setdefault("item", [dict(line) for line in source.get("item", [])])
            source["status"] = {"id": "G", "refName": "Billed"}
        return self._saved(request, target, self.records.create(target, fields), fields, "created")

    def _fields(self, request: Request, kind: RecordType) -> Json:
        mode = request.headers.get("x-netsuite-propertynamevalidation", "Warning").lower()
        try:
            given = json.loads(request.body or b"{}")
        except ValueError as error:
            raise Refused(400, "INVALID_REQUEST", "The request body is no JSON.") from error
        if not isinstance(given, dict):
            raise Refused(400, "INVALID_REQUEST", "The request body must be an object.")
        return self.records.clean(kind, given, mode)

    def _saved(self, request: Request, kind: RecordType, row: Json, fields: Json, what: str) -> Reply:
        self._booked(request, kind, row, fields, what)
        self.tell(kind, row, what)
        location = f"{request.origin}{request.prefix}/services/rest/record/v1/{kind.name}/{row['id']}"
        return Reply(204, b"", {"Location": location})

    def _booked(self, request: Request, kind: RecordType, row: Json, fields: Json, what: str) -> None:
        external = str(fields.get("externalId", ""))
        marked = external.removeprefix("meshline:") if external.startswith("meshline:") else ""
        action = str(fields.get(kind.action_field, "")) or action_in(str(fields.get("memo", ""))) or marked
        key = request.headers.get("x-netsuite-idempotency-key", "") or request.headers.get("idempotency-key", "")
        summary = f"{what}: {', '.join(sorted(fields))}"
        self.book.effect(request, key=key, action=action, target=f"{kind.name}/{row['id']}", summary=summary)

    def tell(self, kind: RecordType, row: Json, what: str) -> str:
        """Our script in the account posts each saved customer and contract to Meshline."""
        word = WORDS.get(kind.name)
        if word is None:
            return ""
        event_id = f"ns-{self.ids.text('hook', 20)}"
        record = script.record_of(kind, row, self.records)
        event = {"id": event_id, "type": f"{word}.{what}", "occurred_at": self.clock.iso(), "account": self.account}
        body = json_reply(200, {**event, "record": record}).body
        self.world.courier.send(Parcel(self.name, event_id, event["type"], body))
        return event_id

    def _read(self, request: Request, kind: RecordType, key: str) -> Reply:
        wanted = request.query_map()
        here = f"{request.origin}{request.prefix}/services/rest/record/v1/{kind.name}"
        if not key:
            return json_reply(200, self._listing(kind, wanted, here))
        row = self.records.get(kind, key)
        whole = wanted.get("expandSubResources") == "true"
        shown: Json = {"links": [{"rel": "self", "href": f"{here}/{row['id']}"}]}
        for name, value in row.items():
            if name in kind.sublists:
                link = [{"rel": "self", "href": f"{here}/{row['id']}/{name}"}]
                full = {"links": link, "items": value, "count": len(value), "totalResults": len(value)}
                shown[name] = full if whole else {"links": link}
            else:
                shown[name] = value
        fields = wanted.get("fields")
        if fields:
            names = {name.strip().lower() for name in fields.split(",")} | {"links", "id"}
            shown = {name: value for name, value in shown.items() if name.lower() in names}
        return json_reply(200, shown)

    def _listing(self, kind: RecordType, wanted: dict[str, str], here: str) -> Json:
        query = wanted.get("q", "")
        found = [row["id"] for row in self.records.rows[kind.name].values() if not query or matches(row, query)]
        limit, offset = int(wanted.get("limit", "1000")), int(wanted.get("offset", "0"))
        page = found[offset : offset + limit]
        items = [{"links": [{"rel": "self", "href": f"{here}/{one}"}], "id": one} for one in page]
        more = offset + len(page) < len(found)
        counts = {"count": len(page), "hasMore": more, "items": items, "offset": offset, "totalResults": len(found)}
        return {"links": [{"rel": "self", "href": here}], **counts}

    def _suiteql(self, request: Request) -> Reply:
        if "transient" not in request.headers.get("prefer", ""):
            detail = "The required request header 'Prefer' is missing or its value is invalid. Use: transient."
            raise Refused(400, "INVALID_HEADER", detail, header="Prefer")
        for kind, row in self.records.touched:
            self.sql.write(kind, row)
        self.records.touched.clear()
        wanted = request.query_map()
        try:
            given: Any = json.loads(request.body)
            limit, offset = int(wanted.get("limit", "1000")), int(wanted.get("offset", "0"))
        except ValueError as error:
            raise Refused(400, "INVALID_REQUEST", "Unreadable body, limit or offset.") from error
        params = [str(one) for one in given.get("params", [])]
        link = f"{request.origin}{request.prefix}/services/rest/query/v1/suiteql"
        return json_reply(200, self.sql.run(str(given.get("q", "")), params, limit, offset, link))

    def fault_reply(self, rule: Rule) -> Reply | None:
        """NetSuite's refusals; expired tokens are met by the call itself."""
        if rule.kind == "expire_auth":
            # The call itself then meets the missing token.
            with self.lock:
                self.tokens.clear()
            return None
        if rule.kind == "rate_limit":
            reply = crowded().reply()
            if "retry_after" in rule.options:
                reply.headers["Retry-After"] = str(rule.options["retry_after"])
            return reply
        status = int(rule.options.get("status", 500))
        detail = f"An unexpected error occurred. Error ID: {self.ids.text('error', 12).lower()}"
        return Refused(status, str(rule.options.get("code", "UNEXPECTED_ERROR")), detail).reply()

    def objects(self) -> Json:
        """Records and jobs."""
        return {**self.records.rows, "jobs": self.jobs.rows()}

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """The signature that our script writes."""
        stamp = int(time.time()) + int(extra.get("skew_s", 0))
        signed = f"{stamp}.".encode() + body
        marks = [f"v1={hmac.new(one.encode(), signed, hashlib.sha256).hexdigest()}" for one in secrets]
        return {"X-Meshline-Signature": ",".join([f"t={stamp}", *marks]), "User-Agent": "NetSuite/2026.2 SuiteScript"}

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """A user event script posts once; `max_attempts` of the target may ask for more."""
        return 0.5 * 2**attempt


def _below_base(path: str) -> str:
    """The path below `/services/rest`, which a base address may or may not contain."""
    return path.removeprefix("/netsuite").removeprefix("/services/rest")
