"""Rules' actions as lines of an HAProxy frontend. Pure; no value can leave its quotes.

Source: "Action types for listener rules" in the user guide for Application Load Balancers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delivery.sandbox.elb.matching import quoted, test_of
from delivery.sandbox.elb.model import Frontend, Rule, name_of

#: What an Application Load Balancer calls itself in its own answers.
SERVER = "hdr Server awselb/2.0"
#: The cookie of target group stickiness, and its twin for cross-origin requests.
GROUP_COOKIE = "AWSALBTG"
REDIRECT_DEFAULTS = {
    "Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}", "Query": "#{query}",
}  # fmt: skip
_VALUES = {
    "host": "%[req.hdr(host),field(1,:)]",
    "path": "%[path,bytes(1)]",  # without its leading slash
    "query": "%[query]",
}


def lines_of(frontend: Frontend, folder: str) -> Iterator[str]:
    """The first rule whose conditions hold decides (`txn.rule`); what it does comes after."""
    yield "http-request set-var-fmt(txn.query) '?%[query]' if { query -m found } !{ query -m len 0 }"
    for rule in frontend.rules:
        tests = " ".join(test_of(c) for c in rule.conditions)
        yield f"http-request set-var(txn.rule) str({rule.name}) if !{{ var(txn.rule) -m found }} {tests}"
    sticky = False
    for rule in frontend.rules:
        yield from _done(rule, frontend, folder)
        sticky = sticky or stickiness(rule.action) > 0
    if sticky:
        value = f"{GROUP_COOKIE}%s=%%[var(txn.token)]; Expires=%%[date,add(txn.sticky),http_date]; Path=/%s"
        for twin, more in (("", ""), ("CORS", "; SameSite=None; Secure")):
            cookie = value % (twin, more)
            yield f"http-response add-header Set-Cookie '{cookie}' if {{ var(txn.sticky) -m found }}"
    yield "use_backend %[var(txn.group)] if { var(txn.group) -m found }"
    yield "default_backend none"


def _done(rule: Rule, frontend: Frontend, folder: str) -> Iterator[str]:
    action, when = rule.action, f"{{ var(txn.rule) -m str {rule.name} }}"
    match action.get("Type"):
        case "fixed-response":
            fixed = action.get("FixedResponseConfig") or {}
            body = ""
            if fixed.get("MessageBody"):
                kind = quoted(str(fixed.get("ContentType") or "text/plain"))
                path = f"{folder}/{body_file(str(fixed['MessageBody']))}"
                body = f"content-type {kind} file {quoted(path)} "
            yield f"http-request return status {int(fixed.get('StatusCode', 200))} {SERVER} {body}if {when}"
        case "redirect":
            redirect = {**REDIRECT_DEFAULTS, **(action.get("RedirectConfig") or {})}
            code = int(str(redirect.get("StatusCode") or "HTTP_302").removeprefix("HTTP_"))
            page = f"content-type text/html file {quoted(f'{folder}/{code}.html')}"
            where = quoted(location(redirect, frontend))
            yield f"http-request return status {code} {SERVER} hdr Location {where} {page} if {when}"
        case "forward":
            yield from _forward(action, when, frontend)


def location(redirect: Mapping[str, Any], frontend: Frontend) -> str:
    """The address a redirect sends to, as HAProxy's format; it always names the port, as ELB's does."""
    known = {**_VALUES, "protocol": frontend.protocol, "port": str(frontend.port)}
    parts = {k: _filled(str(redirect[k]), known) for k in REDIRECT_DEFAULTS}
    query = parts["Query"] and f"?{parts['Query']}"
    if redirect["Query"] == "#{query}":
        query = "%[var(txn.query)]"  # no question mark for no query
    return f"{parts['Protocol'].lower()}://{parts['Host']}:{parts['Port']}{parts['Path']}{query}"


def _filled(template: str, known: Mapping[str, str]) -> str:
    pieces = re.split(r"#\{(protocol|host|port|path|query)\}", template)
    return "".join(known[p] if i % 2 else _literal(p) for i, p in enumerate(pieces))


def _literal(text: str) -> str:
    """Text in a log format; what may not stand in a header line is percent-encoded."""
    return "".join(chr(b) if 32 < b < 127 and b != 37 else "%%" if b == 37 else f"%%{b:02X}"
                   for b in text.encode("utf-8", "surrogateescape"))  # fmt: skip


def _forward(action: Mapping[str, Any], when: str, frontend: Frontend) -> Iterator[str]:
    """One number is drawn per request out of the sum of the weights: the split is exactly theirs."""
    groups = groups_of(action)
    free = "!{ var(txn.group) -m found }"
    keep = stickiness(action)
    if keep:
        yield f"http-request set-var(txn.sticky) int({max(1, round(keep / frontend.scale))}) if {when}"
        for arn, _ in groups:
            stuck = f"{{ req.cook({GROUP_COOKIE}) -m str {token_of(arn)} }}"
            yield f"http-request set-var(txn.group) str({name_of(arn)}) if {when} {free} {stuck}"
    total, drawn = sum(weight for _, weight in groups), 0
    if total:
        yield f"http-request set-var(txn.draw) rand({total}) if {when}"
    for arn, weight in groups:
        drawn += weight
        if weight:
            share = f"{{ var(txn.draw) -m int lt {drawn} }}"
            yield f"http-request set-var(txn.group) str({name_of(arn)}) if {when} {free} {share}"
    if keep:
        for arn, _ in groups:
            chosen = f"{{ var(txn.group) -m str {name_of(arn)} }}"
            yield f"http-request set-var(txn.token) str({token_of(arn)}) if {when} {chosen}"


def groups_of(action: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The target groups of a forward action, with their weights."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        return [(str(action["TargetGroupArn"]), 1)] if action.get("TargetGroupArn") else []
    return [(str(g["TargetGroupArn"]), int(g.get("Weight", 1))) for g in groups]


def stickiness(action: Mapping[str, Any]) -> float:
    """AWS seconds a client stays with its target group; 0: it does not."""
    config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    enabled = str(config.get("Enabled", "false")).lower() == "true"
    return float(config.get("DurationSeconds") or 0) if enabled else 0.0


def token_of(arn: str) -> str:
    """What the stickiness cookie says for a group, and tells nobody."""
    return hashlib.sha256(arn.encode()).hexdigest()[:32]


def body_file(body: str) -> str:
    """The name of the file a fixed response's body lies in: no body has to be quoted."""
    return f"body-{hashlib.sha256(body.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


def bodies(frontends: Sequence[Frontend]) -> dict[str, bytes]:
    """The files the actions need, by name."""
    found = {}
    for rule in (r for f in frontends for r in f.rules):
        body = str((rule.action.get("FixedResponseConfig") or {}).get("MessageBody") or "")
        if rule.action.get("Type") == "fixed-response" and body:
            found[body_file(body)] = body.encode("utf-8", "surrogateescape")
    return found
