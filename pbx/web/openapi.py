"""The API described: an OpenAPI 3.1 document, made of the routes, and a page of it that people read.

Every body has an example: the one that its model gives, else one made of its fields' own examples. Each
operation says which right it needs (`x-right`), and that it may be refused with a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

MOST_DEPTH = 8
METHODS = ("get", "put", "post", "patch", "delete")
MEDIA_TYPE = "application/json"
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "mend", "where", "request"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong with this request."},
        "code": {"type": "string", "description": "A word that stays the same."},
        "mend": {"type": "string", "description": "What to do."},
        "where": {"type": "string", "description": "The field that it is about."},
        "request": {"type": "string", "description": "Its id, as in the log."},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "examples": [
        {
            "type": "urn:beffroi:problem:not_found",
            "title": "Not Found",
            "status": 404,
            "detail": "there is nothing here",
            "code": "not_found",
            "mend": "",
            "where": "",
            "request": "6f1c0a2b3c4d5e6f",
        }
    ],
}
_DESCRIPTION = """The telephone exchange of an organisation: calls, people, recordings, plan.

Sign in with a token (`Authorization: Bearer bft_…`), or with a session's cookie as the pages do; a session
says its `csrf` in `X-CSRF-Token` with each change. Lists are paged by `limit` and `after`. Times are Unix
seconds, in fields named `…_at`. A request with an `Idempotency-Key` is done once, however often it is sent
within a day. What goes wrong is told as a problem (RFC 9457). What happens is told by the WebSocket
`/api/v1/events?kinds=CallStarted,CallEnded`, one JSON object a line."""


def document(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application's routes."""
    made: dict[str, Any] = app.openapi()
    made["info"]["description"] = _DESCRIPTION
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of an account."},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-beffroi"},
    }
    rights = {
        (path, method.lower()): right_of(route.dependant)
        for path, route in routes_of(app.routes)
        for method in route.methods or ()
    }
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            right = rights.get((path, method), "")
            operation["security"] = [{"token": []}, {"session": []}] if right else []
            operation["x-right"] = right
            _complete(operation, schemas)
    return made


def routes_of(routes: Iterable[Any]) -> Iterator[tuple[str, APIRoute]]:
    """Give every route of the API, with the path at which it is included."""
    for included in routes:
        contexts = getattr(included, "effective_route_contexts", None)
        for one in contexts() if contexts is not None else ():
            if isinstance(one.original_route, APIRoute):
                yield one.path, one.original_route


def right_of(dependant: Dependant) -> str:
    """Return the right that a route asks for, "" for none."""
    for each in dependant.dependencies:
        right = getattr(each.call, "right", None)
        if right:
            return str(right)
    return ""


def _complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add examples and problems."""
    bodies = list(operation.get("requestBody", {}).get("content", {}).items())
    responses = operation["responses"]
    responses.pop("422", None)
    for response in responses.values():
        bodies += response.get("content", {}).items()
    for media_type, body in bodies:
        if media_type == MEDIA_TYPE and "example" not in body and "examples" not in body:
            body["example"] = example_of(body.get("schema", {}), schemas)
    responses["default"] = {
        "description": "What is wrong.",
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": _PROBLEM["examples"][0],
            }
        },
    }


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """Return an example of a schema: its own, or one made of its parts."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    for own in ("examples", "enum"):
        if schema.get(own):
            return schema[own][0]
    for own in ("example", "const", "default"):
        if own in schema:
            return schema[own]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], schemas, depth + 1)
    match schema.get("type"):
        case "object":
            found = schema.get("properties", {})
            return {name: example_of(each, schemas, depth + 1) for name, each in found.items()}
        case "array" if depth < MOST_DEPTH:
            items = schema.get("prefixItems") or [schema["items"]] * max(schema.get("minItems", 1), 1)
            return [example_of(each, schemas, depth + 1) for each in items]
        case "array":  # a tree, which has to end somewhere
            return []
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "string":
            return "x" * schema.get("minLength", 0)
    return None


def page(described: dict[str, Any]) -> str:
    """Return the document as a page, without a script."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Beffroi: API</title>',
        '<meta name="viewport" content="width=device-width">',
        '<link rel="stylesheet" href="/api/v1/reference.css"></head><body><main>',
        "<h1>Beffroi: the HTTP API</h1>",
        *(f"<p>{_marked(text)}</p>" for text in described["info"]["description"].split("\n\n")),
        '<p>For programs: <a href="/api/v1/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>',
    ]
    tag = ""
    for path, operations in described["paths"].items():
        for method in METHODS:
            if method not in operations:
                continue
            operation = operations[method]
            own = next(iter(operation.get("tags", [])), "other")
            if own != tag:
                tag = own
                parts.append(f"<h2>{escape(tag)}</h2>")
            parts.append(_operation(method, path, operation))
    return "".join([*parts, "</main></body></html>"])


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    right = operation["x-right"]
    needs = f"<p>Needs <code>{escape(right)}</code>.</p>" if right else "<p>For anybody.</p>"
    named = [
        f"<li><code>{escape(each['name'])}</code> ({each['in']}) {_marked(each.get('description', ''))}</li>"
        for each in operation.get("parameters", [])
    ]
    answers = [
        (f"Answer {status}", response.get("content", {}))
        for status, response in operation["responses"].items()
        if status != "default"
    ]
    shown = [
        f"<h4>{title}</h4><pre>{escape(_json(body['example']))}</pre>"
        for title, content in [("Body", operation.get("requestBody", {}).get("content", {})), *answers]
        for body in content.values()
        if "example" in body
    ]
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}"
        f"</summary><p>{_marked(operation.get('description', ''))}</p>{needs}"
        f"<ul>{''.join(named)}</ul>{''.join(shown)}</details>"
    )


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _marked(text: str) -> str:
    """Escape a text, with what stands in backquotes as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))


STYLE = """:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .95em; overflow-wrap: anywhere }
pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .25rem; white-space: pre-wrap }
details { border-top: 1px solid; padding: .5rem 0 }
summary { cursor: pointer; min-height: 1.75rem }
"""
