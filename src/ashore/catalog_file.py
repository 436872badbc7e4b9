"""Read a catalog from TOML; every mistake becomes one line that names its place and its mend."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ashore import catalog as declared
from ashore.catalog import Catalog, Source
from ashore.catalog_checks import Mistake, catalog_mistakes, source_mistakes
from ashore.errors import Misconfigured, nearest

PACKAGED = "the packaged catalog"
_LARGEST = 2**20
_BEYOND = "a number has too many digits, or tables are nested too deep, to be a catalog"
_MODELS: dict[str, type[BaseModel]] = {
    "retry": declared.Retry,
    "timeout": declared.Timeout,
    "auth": declared.Auth,
    "budget": declared.Budget,
    "for_each": declared.ForEach,
    "expect": declared.Expect,
}
_PAGING: dict[str, type[BaseModel]] = {
    "page": declared.PageNumbers,
    "offset": declared.Offset,
    "cursor": declared.Cursor,
    "link": declared.Link,
}
_SAID = {
    "missing": "is needed and not there",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list: [ ... ]",
    "model_type": "must be a table: { ... }",
    "model_attributes_type": "must be a table: { ... }",
    "dict_type": "must be a table: { ... }",
    "mapping_type": "must be a table: { ... }",
    "union_tag_not_found": 'needs the key "kind": one of page, offset, cursor, link',
}


def read_catalog(path: Path | None) -> Catalog:
    """Return the catalog of a file, or the packaged one when there is none.

    Raises:
        Misconfigured: naming every mistake, one line each, before anything is requested.
    """
    where = str(path) if path else PACKAGED
    tables = _tables(path, where)
    mistakes, sources = [], {}
    known = {"default", "source"}
    mistakes += [Mistake("", key, _unknown(key, known)) for key in tables if key not in known]
    declared_sources = tables.get("source", {})
    if not isinstance(declared_sources, dict) or not declared_sources:
        mistakes.append(Mistake("", "", "there is no [source.NAME] table; at least one is needed"))
        declared_sources = {}
    for name, table in declared_sources.items():
        source = _source(name, table)
        if isinstance(source, Source):
            sources[name] = source
            mistakes += source_mistakes(source)
        else:
            mistakes += source
    mistakes += catalog_mistakes(tables.get("default", []), declared_sources)
    if mistakes:
        raise Misconfigured("\n".join(mistake.line(where) for mistake in mistakes))
    return Catalog(default=tuple(tables.get("default") or sources), sources=sources)


def described(source: Source) -> dict[str, Any]:
    """Return a source as JSON values, every default filled in, named as a catalog names it."""
    described: dict[str, Any] = json.loads(source.model_dump_json(by_alias=True))
    return described


def text_of(path: Path | None) -> str:
    """Return the text of a catalog file, or of the packaged catalog.

    Raises:
        Misconfigured: when it cannot be read.
    """
    where, file = str(path) if path else PACKAGED, path or files("ashore") / "catalog.toml"
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)  # of a device there is no end
        if len(data) > _LARGEST:
            raise Misconfigured(f"{where}: this is larger than 1 MiB; it cannot be a catalog")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Misconfigured(f"{where}: the catalog cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(
            f"{where}: byte {error.start} is not UTF-8; save it as UTF-8"
        ) from error


def _tables(path: Path | None, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{where}: this is not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{where}: {_BEYOND}") from error


def _source(name: str, table: object) -> Source | list[Mistake]:
    where = f"source.{name}"
    if not isinstance(table, dict):
        return [Mistake(where, "", "must be a table: [source.NAME]")]
    reserved = [key for key in ("name", "sha256") if key in table]
    if reserved:
        return [Mistake(where, key, _unknown(key, _keys(Source))) for key in reserved]
    try:
        canonical = json.dumps(table, sort_keys=True, default=str)
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
        return Source.model_validate(_tupled({**table, "name": name, "sha256": digest}))
    except ValidationError as error:
        return [_mistake(where, table, details) for details in error.errors()]
    except (ValueError, RecursionError):
        return [Mistake(where, "", _BEYOND)]


def _tupled(value: object) -> object:
    """TOML's lists as tuples, which strict validation of frozen data asks for."""
    if isinstance(value, dict):
        return {k: v if k in {"records", "key"} else _tupled(v) for k, v in value.items()}
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _mistake(where: str, table: dict[str, Any], details: ErrorDetails) -> Mistake:
    parts = _without_tags(details["loc"])
    if len(parts) > 1 and parts[0] == "endpoint" and isinstance(parts[1], int):
        where = f"{where}.endpoint.{_endpoint_name(table, parts[1])}"
        parts = parts[2:]
    key = ".".join(str(part) for part in parts)
    return Mistake(where, key, _said(parts, details))


def _without_tags(loc: Sequence[int | str]) -> list[int | str]:
    """A mistake's place as a catalog writes it: pydantic adds the kind behind ``paging``."""
    parts = [part for part in loc if part != "[key]"]
    if "paging" in parts:
        after = parts.index("paging") + 1
        parts[after : after + 1] = [
            part for part in parts[after : after + 1] if part not in _PAGING
        ]
    return parts


def _endpoint_name(table: dict[str, Any], number: int) -> str:
    endpoint = table["endpoint"][number]
    name = endpoint.get("name") if isinstance(endpoint, dict) else None
    return name if isinstance(name, str) and name else f"#{number + 1}"


def _said(parts: Sequence[int | str], details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(parts[-1]), _siblings(details))
    if kind == "union_tag_invalid":
        return f'"{context["tag"]}" is no kind of paging; {nearest(context["tag"], _PAGING)}'
    if kind == "value_error":
        return str(context["error"])
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = context.get("ge", context.get("le"))
        return f"must be {'at least' if 'ge' in context else 'at most'} {bound:g}"
    if kind == "too_short":
        return "must hold at least one"
    return _SAID.get(kind, details["msg"])


def _siblings(details: ErrorDetails) -> set[str]:
    """The keys that are known where an unknown one stands."""
    loc = details["loc"]
    for part in reversed(loc[:-1]):
        if part in _PAGING and "paging" in loc:
            return _keys(_PAGING[str(part)])
        if part in _MODELS:
            return _keys(_MODELS[str(part)])
    return _keys(declared.Endpoint if "endpoint" in loc[:-1] else Source)


def _keys(model: type[BaseModel]) -> set[str]:
    """The keys of a table as a catalog writes them."""
    keys = {field.alias or name for name, field in model.model_fields.items()}
    return keys - {"name", "sha256"} if model is Source else keys


def _unknown(key: str, known: Iterable[str]) -> str:
    return f"this key is not known; {nearest(key, known)}"
