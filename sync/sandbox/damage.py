"""Carries out what the fault dial planned for one request: before the call is done, and on its answer."""

from collections.abc import Mapping
from typing import Any

from sync.sandbox.faults import AFTER, BEFORE, EITHER, Plan, Rule
from sync.sandbox.wire import Reply, Request, json_reply
from sync.sandbox.world import Simulator, without_id

HTML = b"<!DOCTYPE html><html><head><title>Service</title></head><body><h1>We will be back soon</h1></body></html>"


def carry(simulator: Simulator, request: Request, plan: Plan) -> Reply:
    """One API call from the open door to the answer as it goes out."""
    with simulator.admit(request) as refusal:
        if refusal is not None:
            reply = refusal
        else:
            early = before(plan, simulator)
            if early is not None:
                plan.work()
            reply = simulator.answer(request, plan) if early is None else early
    if plan.rule is not None:
        simulator.book.requests[f"fault:{plan.rule.kind}"] += 1
        reply = after(plan.rule, simulator, reply)
    simulator.book.count(request, reply.hang_up or reply.status)
    return reply


def before(plan: Plan, simulator: Simulator) -> Reply | None:
    """The answer of a fault that keeps the call from being carried out."""
    rule = plan.rule
    if rule is None or rule.has_effect() or (rule.options.get("stored") and simulator.stores_errors):
        return None
    if rule.kind == "drop_before":
        return Reply(0, hang_up=_farewell(rule))
    if rule.kind in BEFORE:
        return simulator.fault_reply(rule)
    return Reply(200)


def after(rule: Rule, simulator: Simulator, reply: Reply) -> Reply:
    """Spoil the answer. Calls that were not carried out pass through here too: `html`, `hang` and `answer`."""
    if rule.kind not in AFTER | EITHER:
        return reply
    options = rule.options
    if rule.kind == "lost_answer":
        return Reply(reply.status, hang_up=_farewell(rule))
    if rule.kind == "hang":
        return Reply(reply.status, hang_up="fin", hold_s=float(options.get("ms", 30_000)) / 1000)
    if rule.kind == "html":
        return Reply(int(options.get("status", 200)), HTML, {"Content-Type": "text/html; charset=utf-8"})
    if rule.kind == "answer":
        return json_reply(int(options.get("status", 200)), options.get("body", {}), options.get("headers"))
    if rule.kind == "error_after":
        return simulator.fault_reply(rule) or reply
    if rule.kind == "cut_json":
        return _cut(rule, reply)
    if rule.kind == "missing_id":
        return without_id(reply)
    if rule.kind == "drip":
        reply.drip_ms = float(options.get("interval_ms", 50))
        return reply
    return _drift(options, reply)


def _farewell(rule: Rule) -> str:
    return "rst" if rule.options.get("reset") else "fin"


def _cut(rule: Rule, reply: Reply) -> Reply:
    """Half the body: either as a complete answer with broken JSON, or as a connection broken in mid-body."""
    half = len(reply.body) // 2
    if rule.options.get("mode") == "break":
        reply.cut_to = half
    else:
        reply.body = reply.body[:half]
    return reply


def _drift(options: Mapping[str, Any], reply: Reply) -> Reply:
    """Rename, remove or set members of the top object; a drift by version was done by the provider itself."""
    changes = options.get("rename"), options.get("remove"), options.get("set")
    data = reply.data() if any(changes) else None
    if not isinstance(data, dict):
        return reply
    inner = next(iter(data.values())) if len(data) == 1 else data
    target = inner if isinstance(inner, dict) else data
    for old, new in (options.get("rename") or {}).items():
        if old in target:
            target[new] = target.pop(old)
    for name in options.get("remove") or ():
        target.pop(name, None)
    target.update(options.get("set") or {})
    headers = {name: value for name, value in reply.headers.items() if name != "Content-Type"}
    return json_reply(reply.status, data, headers)
