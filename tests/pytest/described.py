"""Whether a value has the shape that a schema says, and nothing that the schema does not describe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (tests/requirements.txt)")

Schema = dict[str, Any]
Place = tuple[Schema, Schema]  # a schema, and the resource that its references are meant in


def problems(schema: Schema, value: Any) -> list[str]:
    """Where the value is not as the schema says, and every key that it does not describe."""
    found = jsonschema.Draft202012Validator(schema).iter_errors(value)
    wrong = [f"{error.json_path}: {error.message[:200]}" for error in found]
    return wrong + sorted(set(_undescribed(value, _all(schema, schema, schema, value), "$", schema)))


def _resolve(reference: str, resource: Schema, top: Schema) -> Place:
    name, _, pointer = reference.partition("#")
    if name:
        resource = top if name == top["$id"] else top["$defs"][name]
    found = resource
    for part in pointer.split("/")[1:]:
        found = found[part]
    return found, resource


def _all(schema: Schema, resource: Schema, top: Schema, value: Any) -> list[Place]:
    """The schema and those that it is made of; of a choice those whose required keys are there."""
    found: list[Place] = [(schema, resource)]
    if "$ref" in schema:
        found += _all(*_resolve(schema["$ref"], resource, top), top, value)
    for one in schema.get("allOf", ()):
        found += _all(one, resource, top, value)
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        inner = _all(one, resource, top, value)
        needed = {key for part, _ in inner for key in part.get("required", ())}
        found += inner if not needed or (isinstance(value, dict) and needed <= value.keys()) else []
    return found


def _undescribed(value: Any, places: list[Place], where: str, top: Schema) -> Iterator[str]:
    inside: list[tuple[str, Any, list[Place]]] = []
    if isinstance(value, dict):
        for key, one in value.items():
            named = [
                (part["properties"][key], at) for part, at in places if key in part.get("properties", {})
            ]
            any_key = [(part.get("additionalProperties"), at) for part, at in places]
            open_ones = [(part, at) for part, at in any_key if isinstance(part, dict)]
            inside.append((f"{where}.{key}", one, named or open_ones))
    elif isinstance(value, list):
        of_items = [(part["items"], at) for part, at in places if "items" in part]
        inside = [(f"{where}[]", one, of_items) for one in value]
    for name, one, found in inside:
        if not found:
            yield f"{name}: is not described"
            continue
        yield from _undescribed(
            one, [more for part, at in found for more in _all(part, at, top, one)], name, top
        )
