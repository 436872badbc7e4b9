"""Points a catalog at a stand-in: the same text, comments and all, but for addresses and paces."""

import json
import re
import tomllib

PATHS = {
    "world_bank": "/world_bank/v2",
    "rest_countries": "/rest_countries/v5",
    "countries_dev": "/countries_dev",
}
"""Below which path of the stand-in each source answers."""

_TABLE = re.compile(r"\s*\[\s*source\s*\.\s*([\w-]+)\s*\]")
_ANY_TABLE = re.compile(r"\s*\[")
_ENTRY = re.compile(r"""(\s*(base_url|rate)\s*=\s*)("[^"]*"|'[^']*')(.*)""", re.DOTALL)


def catalog_text(base_url: str, rate: str | None, catalog: str) -> str:
    """Return the catalog's text with every source's ``base_url`` at the stand-in.

    Args:
        base_url: the address of the stand-in, as ``Standin.url`` has it.
        rate: the pace of every source, also of one that declares none; None keeps what is declared.
        catalog: the TOML text of a catalog.

    Raises:
        ValueError: for text that is no TOML, for a source that the stand-in does not know, and for
            a layout in which an address could not be replaced.
    """
    declared = _sources(catalog)
    wanted = {name: _entries(base_url, rate, name) for name in declared}
    lines, source = [], ""
    for line in catalog.splitlines(keepends=True):
        if _ANY_TABLE.match(line):
            table = _TABLE.match(line)
            source = table[1] if table else ""
        lines.append(_rewritten(line, wanted.get(source, {}), declared.get(source, {})))
    text = "".join(lines)
    _check(text, wanted)
    return text


def _sources(text: str) -> dict[str, dict[str, object]]:
    sources: dict[str, dict[str, object]] = tomllib.loads(text).get("source", {})
    return sources


def _entries(base_url: str, rate: str | None, source: str) -> dict[str, str]:
    if source not in PATHS:
        known = ", ".join(PATHS)
        raise ValueError(f'the stand-in does not know the source "{source}"; it knows {known}')
    entries = {"base_url": base_url.rstrip("/") + PATHS[source]}
    return entries if rate is None else entries | {"rate": rate}


def _rewritten(line: str, entries: dict[str, str], declared: dict[str, object]) -> str:
    match = _ENTRY.fullmatch(line)
    if not match or match[2] not in entries:
        return line
    written = f"{match[1]}{json.dumps(entries[match[2]])}{match[4]}"
    if match[2] == "base_url" and "rate" in entries and "rate" not in declared:
        written = f"{written.rstrip()}\nrate = {json.dumps(entries['rate'])}\n"
    return written


def _check(text: str, wanted: dict[str, dict[str, str]]) -> None:
    """Hold the edit against what was meant: a stand-in's catalog must never ask a real API."""
    sources = _sources(text)
    for name, entries in wanted.items():
        if any(sources[name].get(key) != value for key, value in entries.items()):
            raise ValueError(
                f'the source "{name}" must have base_url and rate on lines of their own'
            )
