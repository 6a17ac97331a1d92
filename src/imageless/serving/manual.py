"""The routes in words, from their OpenAPI schema: one page that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from imageless import report

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
EXAMPLE = """(printf '{"image": "'; base64 < photo.jpg; printf '"}') | tr -d '\\n' |
  curl -H 'content-type: application/json' --data-binary @- %s/caption"""


def manual(schema: dict[str, Any], address: str) -> str:
    """A section for every route, with the fields it takes."""
    sections = [f"<pre>{escape(EXAMPLE % address)}</pre>"]
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            fields = _fields(schema, route)
            shown = report.table("fields of the JSON body", ["type", "what"], fields) if fields else ""
            sections.append(report.section(f"{method.upper()} {path}", route.get("description", ""), shown))
    lead = 'JSON in, JSON out; the whole schema is at /openapi.json. What cannot be answered gets one line: {"error": ...}.'
    return report.page("The API", lead, sections)


def _fields(schema: dict[str, Any], route: dict[str, Any]) -> dict[str, list[str]]:
    content = route.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return {}
    model = schema["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    needed = model.get("required", [])
    return {
        name: [_kind(about), about.get("description", "") or ("needed" if name in needed else "")]
        for name, about in model["properties"].items()
    }


def _kind(about: dict[str, Any]) -> str:
    kinds = [about, *about.get("anyOf", [])]
    return " or ".join(dict.fromkeys(each["type"] for each in kinds if each.get("type", "null") != "null"))
