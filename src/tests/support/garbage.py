"""A landed day into whose files garbage comes, and what any command may then say."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from ashore.manifest import encode, sealed
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.inside import inside
from tests.support.mangled import ANY, mangled, torn
from tests.support.shop import Ran, number, today

DATE = today()
RAW = f"raw/extraction_date={DATE}/source=shop/"
MANIFESTS = f"manifests/extraction_date={DATE}/source=shop/"
CATALOG = """
[source.shop]
base_url = "{url}"
retry = {{ attempts = 2, max_wait = "1ms" }}
budget = {{ requests = 1000, per = "1d" }}
[[source.shop.endpoint]]
name = "items"
path = "items"
[[source.shop.endpoint]]
name = "item"
path = "item/{{id}}"
for_each = {{ endpoint = "items", select = "[].id", as = "id" }}
[[source.shop.endpoint]]
name = "pages"
path = "pages"
records = "rows"
total = "total"
key = "id"
paging = {{ kind = "page", param = "page", pages = "pages" }}
expect = {{ unique_key = true, max_drop = 0.5 }}
[[source.shop.endpoint]]
name = "links"
path = "links"
paging = {{ kind = "link" }}
"""
PATHS = (
    *("../../../etc/hostname", "/etc/hostname", f"{RAW}../../x", f"{RAW}endpoint=items/all.json"),
    *(f"{RAW}endpoint=none/all.json", f"{RAW}endpoint=items", RAW, f"{RAW}endpoint=items/"),
    *("raw/extraction_date=2001-01-01/source=shop/endpoint=items/all.json", f"{MANIFESTS}x"),
    *(f"{MANIFESTS}manifest.json", f"{MANIFESTS}runs", "a" * 3_000, "\ud800", "\udcff", "a\0b"),
)
POOL = (*ANY, *PATHS, "0" * 64, hashlib.sha256(b"").hexdigest(), "G" * 64, "complete")


STEERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def answer(api: ScriptedApi) -> None:
    """Let the API answer as the catalog has it, always the same."""
    api.on("/items", json_reply([{"id": "a"}, {"id": "b/ä"}]))
    api.on("/links", _links)
    api.on("/pages", _pages)
    api.answer(lambda call: json_reply({"asked": call.path}))


def _links(call: Call) -> Reply:
    more = {"Link": '<?after=1>; rel="next"'} if not call.query else {}
    return json_reply([number(call, "after")], headers=more)


def _pages(call: Call) -> Reply:
    page = number(call, "page", 1)
    return json_reply({"pages": 2, "total": 3, "rows": [{"id": n} for n in range(page, 4, 2)]})


def refused(_: str) -> None:
    raise ValueError("this is no JSON")


def said(allowed: set[int], *arguments: str) -> Ran:
    """Run a command, which ends with one of these and says so in lines, or in one document."""
    ran = inside(*arguments)
    assert ran.status in allowed, (ran.status, ran.err)
    assert "Traceback" not in ran.err, ran.err
    for line in ran.err.splitlines():
        assert line.startswith(("ashore: ", '{"')), line
        assert not STEERS.search(line), ascii(line)
    if "--json" in arguments:
        document = json.loads(ran.out, parse_constant=refused)
        assert document["exit_status"] == ran.status
        assert (document["error"] is None) is (ran.status == 0)
    elif ran.status:
        assert ran.err
    return ran


Files = Mapping[str, bytes]
Change = tuple[str, bytes]


def _lines(whole: bytes) -> list[Any]:
    return [json.loads(line) for line in whole.splitlines() if line.strip()]


def _written(document: Any, ensure_ascii: bool) -> bytes:
    text = json.dumps(document, ensure_ascii=ensure_ascii)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def spoilt(draw: st.DrawFn, path: str, whole: bytes) -> bytes:
    """A file in which something is wrong: its bytes, or what it says."""
    if not path.endswith((".json", ".jsonl")) or draw(st.integers(0, 2)) == 0:
        return draw(torn(whole))
    ascii_only = draw(st.booleans())
    if path.endswith(".json"):
        return _written(draw(mangled(json.loads(whole), POOL)), ascii_only)
    lines = draw(mangled(_lines(whole), POOL))
    parts = lines if isinstance(lines, list) else [lines]
    return b"".join(_written(line, ascii_only) + b"\n" for line in parts)


@st.composite
def changes(draw: st.DrawFn, files: Files, fits: Callable[[str], bool]) -> dict[str, bytes]:
    """One or two files that are spoilt; what states the SHA-256 of another may fit to it again."""
    changed = {}
    for _ in range(draw(st.integers(1, 2))):
        fitting = sorted(filter(fits, files))
        # A manifest is what most commands read.
        path = draw(st.sampled_from(fitting) | st.sampled_from(fitting[:1]))
        changed[path] = draw(spoilt(path, files[path]))
    manifest = f"{MANIFESTS}manifest.json"
    if manifest in files and draw(st.booleans()):
        changed[manifest] = _forged({**files, **changed}, manifest)
    return changed


def _forged(files: Files, path: str) -> bytes:
    """A manifest that states what lies there now, as far as it still says where."""
    try:
        document = json.loads(files[path])
        for key in ("receipts", "sums"):
            named = files[document[key]["path"]]
            document[key]["sha256"] = hashlib.sha256(named).hexdigest()
        document.pop("manifest_sha256", None)
        return encode(sealed(document))
    except (ValueError, TypeError, KeyError, RecursionError):
        return files[path]
