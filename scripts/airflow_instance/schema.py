"""Validation against the shipped JSON Schema.

Only the part of JSON Schema 2020-12 that data/schema.json uses is known here;
a keyword outside it is an error, so that the schema never promises more than is
checked. Messages name the file, the line, the key, the value and the remedy.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .errors import DeclarationError
from .layout import data_file
from .suggest import closest, did_you_mean

Path = tuple[str, ...]
# Where a value stands, for a message: "FILE:LINE" of a path.
Where = Callable[[Path], str]

_ANNOTATIONS = frozenset(["$schema", "$id", "$defs", "title", "description", "x-secret"])
_CHECKS = frozenset(
    {"$ref", "type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"required", "properties", "propertyNames", "additionalProperties"}
)
# What a text may be instead of its own form; `validate` has ``templates`` for that.
_PLACEHOLDER = {"$ref": "#/$defs/placeholder"}
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "object": ((dict,), "a mapping of keys to values"),
    "null": ((type(None),), "null"),
}
PLACEHOLDER = "%{"
_FEW = 12  # keys that fit into a message


@functools.lru_cache(maxsize=1)
def load() -> Mapping[str, Any]:
    """The shipped schema."""
    with data_file("schema.json").open(encoding="utf-8") as file:
        schema: dict[str, Any] = json.load(file)
    return schema


def unsupported(schema: Mapping[str, Any] | None = None) -> list[str]:
    """The keywords of a schema that `validate` would not check."""
    schema = load() if schema is None else schema
    found = [key for key in schema if key not in _ANNOTATIONS | _CHECKS | {"anyOf"}]
    if "anyOf" in schema and schema["anyOf"][1:] != [_PLACEHOLDER]:
        found.append("anyOf")
    for key in ("properties", "$defs"):
        for inner in schema.get(key, {}).values():
            found += unsupported(inner)
    for key in ("additionalProperties", "propertyNames"):
        if isinstance(schema.get(key), dict):
            found += unsupported(schema[key])
    return found


def resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema`` with what its $ref names, and the form that it has without placeholders.

    Its own keywords win.
    """
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = {**load()["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}
    return {**schema, **schema["anyOf"][0]} if "anyOf" in schema else schema


def at(path: Path) -> Mapping[str, Any] | None:
    """The schema of the value at ``path``; None when there can be none."""
    schema = resolve(load())
    for key in path:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        if not isinstance(inner, dict):
            # The inside of a free value, such as a connection's extra.
            return {} if inner is None and "object" in _types(schema) else None
        schema = resolve(inner)
    return schema


def parameters() -> Mapping[str, Mapping[str, Any]]:
    """The parameters of an instance with their schemas."""
    return {name: resolve(inner) for name, inner in load()["properties"].items()}


def validate(value: object, where: Where, *, templates: bool) -> list[DeclarationError]:
    """What is wrong with a declaration; [] when nothing is.

    With ``templates`` a text that holds a placeholder may have any form, and
    required keys may come from another file.
    """
    return list(_check(value, resolve(load()), (), where, templates))


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _is(value: object, kind: str) -> bool:
    # True is an int to Python, and never meant as one here.
    return isinstance(value, _TYPES[kind][0]) and (kind == "boolean" or not isinstance(value, bool))


def _show(value: object, schema: Mapping[str, Any]) -> str:
    if schema.get("x-secret"):
        return "the value"
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _check(
    value: object, schema: Mapping[str, Any], path: Path, where: Where, templates: bool
) -> Iterator[DeclarationError]:
    place = f"{where(path)}: {'.'.join(path)}" if path else where(path)
    kinds = _types(schema)
    if kinds and not any(_is(value, kind) for kind in kinds):
        wanted = " or ".join(_TYPES[kind][1] for kind in kinds)
        hint = f"give it {wanted}"
        if "string" in kinds and isinstance(value, (int, float)):
            hint = 'put it in quotes: "…"'
        elif value is None:
            hint = "give it a value, or take the line away"
        shown = "empty" if value is None else f"{_show(value, schema)}, not {wanted}"
        yield DeclarationError(f"{place} is {shown}", hint=hint)
        return
    if isinstance(value, str) and templates and PLACEHOLDER in value:
        return
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(schema["enum"])
        near = closest(str(value), schema["enum"])
        yield DeclarationError(
            f"{place} is {_show(value, schema)}",
            hint=f"did you mean {near}?" if near else f"it can be {allowed}",
        )
    elif isinstance(value, str):
        yield from _check_text(value, schema, place)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            yield DeclarationError(f"{place} is {value}", hint=f"it can be {low} to {high}")
    elif isinstance(value, dict):
        yield from _check_mapping(value, schema, path, where, templates)


def _check_text(value: str, schema: Mapping[str, Any], place: str) -> Iterator[DeclarationError]:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", len(value))
    pattern = schema.get("pattern")
    if not shortest <= len(value) <= longest:
        limit = f"at least {shortest}" if len(value) < shortest else f"at most {longest}"
        yield DeclarationError(f"{place} has {len(value)} characters", hint=f"it needs {limit}")
    # JSON Schema's $ is the end of the text; Python's would allow a line break.
    elif pattern and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        if "\n" in value or "\r" in value:
            yield DeclarationError(f"{place} has a line break", hint="write it on one line")
        else:
            yield DeclarationError(
                f"{place} is {_show(value, schema)}",
                hint=f"{schema.get('title', 'its form is')} {pattern}",
            )


def _known(keys: Iterable[str]) -> str:
    names = sorted(keys)
    if len(names) > _FEW:
        return "known are those that airflow-instance(1) lists"
    return f"known are {', '.join(names)}"


def _check_mapping(
    value: Mapping[str, object],
    schema: Mapping[str, Any],
    path: Path,
    where: Where,
    templates: bool,
) -> Iterator[DeclarationError]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    names = schema.get("propertyNames", {}).get("pattern")
    for key, inner in value.items():
        inside = (*path, key)
        if names and not re.search(names, key):
            yield DeclarationError(
                f"{where(inside)}: {key!r} cannot be a key of {'.'.join(path)}",
                hint=f"its form is {names}",
            )
        elif key in known:
            yield from _check(inner, resolve(known[key]), inside, where, templates)
        elif others is False:
            hint = did_you_mean(key, known) or _known(known)
            unknown = f"{'.'.join(path)} has no key" if path else "unknown key"
            yield DeclarationError(f"{where(inside)}: {unknown} {key}", hint=hint)
        elif isinstance(others, dict):
            yield from _check(inner, resolve(others), inside, where, templates)
    if not templates:
        for key in schema.get("required", []):
            if key not in value:
                yield DeclarationError(
                    f"{where(path)}: {'.'.join(path)} lacks {key}", hint=f"add {key}: …"
                )
