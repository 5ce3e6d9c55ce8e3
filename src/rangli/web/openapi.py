"""The OpenAPI document, made from the table of routes and from the structs that are really decoded and encoded."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Final

import msgspec

from rangli.errors import (
    DatabaseUnreachable,
    FieldRefused,
    KeyRefused,
    NotSettling,
    ProgrammeNotFound,
    RangliError,
    ScopeRefused,
)
from rangli.service import requests, views, webhooks
from rangli.service.people import access
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    SaleRequest,
)
from rangli.web import bodies, problems
from rangli.web.bodies import NewKey, NewProgramme, NewWebhook
from rangli.web.gate import SCOPES
from rangli.web.intake import ROWS_MAX
from rangli.web.problems import FAULTS, REFUSALS, Kind, Problem, kind_of
from rangli.web.routes import ROUTES, Route

REF: Final = "#/components/schemas/{name}"

Json = dict[str, Any]

PARAMETERS: Final = {
    "programme": ("项目名称", "The programme's name", "shop"),
    "order_id": ("订单号", "The order's id", "A1001"),
    "account": ("账户路径", "The account's path", "consumer:小李:wallet"),
    "webhook_id": ("webhook 编号", "The webhook's id", ""),
    "delivery_id": ("投递编号", "The delivery's id", ""),
    "key_id": ("密钥编号", "The key's id", ""),
}
"""Part of a path -> what it is in Chinese and English, and an example."""

EXAMPLE_PLAN: Final = """\
plan: half
title: {zh: 一半返推荐人, en: Half for the referrer}
about: {zh: 让利的一半归推荐人。, en: Half of the concession goes to the referrer.}
concession: {min: 3%, max: 30%}
shares:
  - {to: referrer, rate: 50% of concession}
"""
"""The smallest plan that says anything."""

EXAMPLES: Final[dict[type, msgspec.Struct]] = {
    OrderRequest: OrderRequest(
        order_id="A1001",
        paid_at="2026-01-05 12:30:00",
        merchant="老王面馆",
        consumer="小李",
        amount="128.00",
        concession="20%",
    ),
    RefundRequest: RefundRequest(refund_id="R1001", order_id="A1001", amount="28.00"),
    SaleRequest: SaleRequest(sale_id="S1", consumer="小李", points="1.5"),
    InjectionRequest: InjectionRequest(injection_id="I1", amount="1000.00"),
    ClosingRequest: ClosingRequest(closing_id="C1", on="2026-02-01"),
    ActivationRequest: ActivationRequest(activation_id="P2", plan=EXAMPLE_PLAN),
    NewProgramme: NewProgramme(name="shop", plan="weituanbao"),
    NewKey: NewKey(name="till", scopes=["orders", "read"], programmes=["shop"]),
    NewWebhook: NewWebhook(url="https://example.com/rangli", kinds=["order", "refund"]),
}
"""Body -> one that could be sent."""


def refusals_of(route: Route) -> dict[int, list[str]]:
    """Status -> the codes of what a route may refuse."""
    kinds: list[type[RangliError]] = [DatabaseUnreachable] if route.path.startswith("/v1") else []
    codes: list[str] = ["unexpected"]
    if route.scope:
        kinds += [KeyRefused, ScopeRefused]
        codes += ["rate_limited"]
    if "{" in route.path:
        codes += ["path_malformed"]
    if "{programme}" in route.path:
        kinds += [ProgrammeNotFound, NotSettling]
    if route.body is not None:
        codes += ["json_malformed", "body_too_large", "content_type_unsupported"]
    if route.scope:
        kinds += [FieldRefused]
    refused = [(kind_of(kind).status, kind.code) for kind in dict.fromkeys((*kinds, *route.refusals))]
    refused += [(FAULTS[code].status, code) for code in codes]
    return {status: [code for at, code in refused if at == status] for status in sorted({at for at, _ in refused})}


def codes() -> dict[str, Kind]:
    """Every code that a client can meet: its status and what it is."""
    found = {code: Kind(*kind[:3]) for code, kind in FAULTS.items()}
    met = {code for route in ROUTES for refused in refusals_of(route).values() for code in refused}
    found |= {kind.code: kind_of(kind) for kind in REFUSALS if kind.code in met}
    return dict(sorted(found.items(), key=lambda item: (item[1].status, item[0])))


# ---------------------------------------------------------------- the parts


def _with_words(components: Json) -> Json:
    """The schemas, each field with what its docstring says."""
    structs = {
        name: kind
        for module in (requests, views, access, webhooks, bodies, problems)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }
    for name, schema in components.items():
        for field, words in _words_of(structs[name]).items():
            told = schema["properties"][field]
            # Beside a reference a description would be lost on readers of the older dialect.
            schema["properties"][field] = (
                {"allOf": [told], "description": words} if "$ref" in told else told | {"description": words}
            )
    return components


def _words_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Field -> the string that follows it in the source, which Python itself does not keep."""
    words: dict[str, str] = {}
    for kind in reversed([kind for kind in struct.__mro__ if kind.__module__.startswith("rangli.")]):
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in pairwise(tree.body):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
                words[field.target.id] = inspect.cleandoc(ast.literal_eval(after.value))  # type: ignore[attr-defined]
    return words


def _parameters(route: Route) -> list[Json]:
    """Of the path, of the query, and the two headers that mean something."""
    found: list[Json] = []
    for name, (zh, en, example) in PARAMETERS.items():
        if f"{{{name}}}" in route.path:
            parameter = {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"{zh} · {en}",
                "schema": {"type": "string"},
            }
            found.append(parameter | ({"example": example} if example else {}))
    _, schemas = msgspec.json.schema_components([route.query], ref_template=REF)
    for name, schema in schemas[route.query.__name__]["properties"].items():
        found.append({"name": name, "in": "query", "required": False, "schema": schema})
    if route.body in EXAMPLES and 202 in route.answers:  # noqa: PLR2004
        found.append(_header("Idempotency-Key", "若发送,须等于请求自己的编号 · If sent, it must equal the request's own id"))
    if route.path.endswith("/feed"):
        found.append(_header("Last-Event-ID", "从这条决定之后开始 · Start after this decision"))
    return found


def _header(name: str, what: str) -> Json:
    """An optional header."""
    return {"name": name, "in": "header", "required": False, "description": what, "schema": {"type": "string"}}


def _body(route: Route, schema: Json) -> Json:
    """What is sent."""
    assert route.body is not None
    example = msgspec.to_builtins(EXAMPLES[route.body])
    if not route.rows:
        return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
    rows = {"type": "array", "maxItems": ROWS_MAX, "items": {"anyOf": [schema, {"description": "A problem in its place."}]}}
    lines = {"description": "A JSON object a line."}
    line = msgspec.json.encode(EXAMPLES[route.body]).decode()
    content = {
        "application/json": {"schema": rows, "example": [example]},
        "application/x-ndjson": {"schema": lines, "example": line},
    }
    return {"required": True, "content": content}


def _responses(route: Route, schemas: dict[int, Json]) -> Json:
    """What comes back."""
    found: Json = {}
    for status, kind in route.answers.items():
        content: Json = {}
        if isinstance(kind, bytes):
            content = {kind.decode().partition(";")[0]: {"schema": {"type": "string"}}}
        elif kind is not None and route.rows:
            content = {
                "application/json": {"schema": {"type": "array", "items": schemas[status]}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            }
        elif kind is not None:
            content = {"application/json": {"schema": schemas[status]}}
        found[str(status)] = {"description": _MEANING.get(status, "OK")} | ({"content": content} if content else {})
    for status, refused in refusals_of(route).items():
        if str(status) not in found:
            problem = {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}}
            found[str(status)] = {"description": ", ".join(refused), "content": problem}
    return dict(sorted(found.items()))


_MEANING: Final = {
    200: "OK; for a request: it had been answered before, and this is its first answer again",
    201: "Done, and durable",
    202: "Taken, and durable; not done yet",
    204: "Done",
    503: "Not ready",
}


def _operation(route: Route, schemas: dict[type | int, Json]) -> Json:
    """One route."""
    name = route.path.removeprefix("/v1").removeprefix("/programmes/{programme}/").removeprefix("/")
    words = re.split(r"[^a-z]+", name.replace("{", "").replace("}", ""))
    operation: Json = {
        "operationId": "_".join([route.method.lower(), *words]),
        "summary": route.en,
        "description": f"{route.zh}。{route.en}." + (f" 需要权限 / needs the scope: `{route.scope}`." if route.scope else ""),
        "parameters": _parameters(route),
        "responses": _responses(route, {status: schemas[kind] for status, kind in route.answers.items() if _is_type(kind)}),
    }
    if route.body is not None:
        operation["requestBody"] = _body(route, schemas[route.body])
    if route.scope:
        operation["security"] = [{"key": [route.scope]}]
    return operation


def _is_type(kind: object) -> bool:
    """Whether an answer is JSON."""
    return kind is not None and not isinstance(kind, bytes)


def document() -> Json:
    """The whole document."""
    kinds: list[Any] = [Problem, *(route.body for route in ROUTES if route.body is not None)]
    kinds += [kind for route in ROUTES for kind in route.answers.values() if _is_type(kind)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    of_kind = dict(zip(kinds, schemas, strict=True))
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of_kind)
    scopes = "; ".join(f"`{scope}`: {zh} · {en}" for scope, (zh, en) in SCOPES.items())
    bearer = {"type": "http", "scheme": "bearer", "description": f"Authorization: Bearer <key>. {scopes}."}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rangli · 让利",
            "version": version("rangli"),
            "description": "让利结算接口:每个请求的编号就是它的幂等键。"
            "Settlement of consumer-rebate programmes; a request's own id is its idempotency key.",
        },
        "paths": paths,
        "components": {"schemas": _with_words(components), "securitySchemes": {"key": bearer}},
    }
