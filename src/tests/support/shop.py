"""One source called `shop`: its catalog, its runs, and what they left in a folder."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ashore.cli import main
from tests.support.api import Call, Handler, Reply, ScriptedApi, json_reply

if TYPE_CHECKING:
    import pytest

NAME = "shop"
SECRET = "s3cr/et+K=y with&42%"
"""What tests of secrets set SHOP_KEY to; the workers of a cluster have to be told beforehand."""
SWIFT = 'retry = { attempts = 3, max_wait = "10ms", max_pause = "5s" }'
ITEMS = '[[source.shop.endpoint]]\nname = "items"\npath = "items"\n'
TREE = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "[].id", as = "id" }
"""


def today() -> str:
    """The date in UTC; a run is told it, so that midnight does not matter."""
    return dt.datetime.now(dt.UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended within this process."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed: one document and nothing else."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def source(self) -> dict[str, Any]:
        """How the one source of the document ended."""
        (source,) = self.document["sources"]
        found: dict[str, Any] = source
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


class Shop:
    """A catalog with one source that talks to a scripted API, and a folder it lands in."""

    def __init__(
        self, api: ScriptedApi, folder: Path, capsys: pytest.CaptureFixture[str], to: str = ""
    ) -> None:
        self.api = api
        self.catalog = folder / "catalog.toml"
        self.landing = folder / "landing"
        self.to = to or str(self.landing)
        self.date = today()
        self._capsys = capsys

    def declare(self, endpoints: str = ITEMS, source: str = "", retry: str = SWIFT) -> None:
        """Write the catalog: the endpoints, and more keys of the source."""
        head = f'[source.shop]\nbase_url = "{self.api.url}"\n{retry}\n{source}\n'
        self.catalog.write_text(head + endpoints, encoding="utf-8")

    def arguments(self, *options: str) -> list[str]:
        """The command line of an extraction."""
        where = ["--catalog", str(self.catalog), "--to", self.to, "--date", self.date]
        return ["extract", *where, *options]

    def extract(self, *options: str) -> Ran:
        """Extract the day within this process."""
        return self.run(*self.arguments(*options))

    def run(self, *arguments: str) -> Ran:
        """Run any command line within this process."""
        self._capsys.readouterr()
        status = main(arguments)
        shown = self._capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    def verify(self, *options: str) -> Ran:
        """Read the last complete day back."""
        return self.run("verify", "--to", self.to, *options)

    @property
    def raw(self) -> Path:
        """The folder of the day's bodies."""
        return self.landing / f"raw/extraction_date={self.date}/source={NAME}"

    @property
    def manifests(self) -> Path:
        """The folder of what is stated about the day."""
        return self.landing / f"manifests/extraction_date={self.date}/source={NAME}"

    def landed(self) -> dict[str, bytes]:
        """The bodies by their names below the source, without `endpoint=`."""
        return {
            file.relative_to(self.raw).as_posix().removeprefix("endpoint="): file.read_bytes()
            for file in sorted(self.raw.rglob("*"))
            if file.is_file()
        }

    def file(self, name: str) -> Path:
        """The file of a body, by the name that `landed` gives it."""
        return self.raw / f"endpoint={name}"

    @property
    def manifest_file(self) -> Path:
        """The statement that the day is complete."""
        return self.manifests / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """What the statement says."""
        return read(self.manifest_file)

    def attempt(self) -> dict[str, Any]:
        """The report of the latest run that did not complete the day."""
        return read(max(self.manifests.glob("runs/*/attempt.json"), key=_age))

    def receipts(self) -> dict[str, dict[str, Any]]:
        """The receipts of the complete day, by the names that `landed` gives."""
        lines = (self.landing / self.manifest()["receipts"]["path"]).read_text().splitlines()
        found = [json.loads(line) for line in lines]
        prefix = f"raw/extraction_date={self.date}/source={NAME}/endpoint="
        return {receipt["path"].removeprefix(prefix): receipt for receipt in found}

    def written(self) -> bytes:
        """All bytes and names below the location, to search them."""
        files = [file for file in self.landing.rglob("*") if file.is_file()]
        return b"\n".join(str(f).encode() + b"\n" + f.read_bytes() for f in files)


def read(file: Path) -> dict[str, Any]:
    """A JSON document."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _age(file: Path) -> int:
    return file.stat().st_mtime_ns


def bodies(*documents: object) -> list[Reply]:
    """Answers, one after the other."""
    return [json_reply(document) for document in documents]


def number(call: Call, name: str, otherwise: int = 0) -> int:
    """A number in the query of a call."""
    return int(call.query.get(name, [str(otherwise)])[0])


def paged(pages: Sequence[object], param: str = "page") -> Handler:
    """Answer by the number of the page that is asked for, from 1."""
    return lambda call: json_reply(pages[number(call, param, 1) - 1])


def tree(api: ScriptedApi, values: Sequence[object]) -> None:
    """Answer a list of ids, and one body for each."""
    api.on("/items", json_reply([{"id": value} for value in values]))
    api.answer(lambda call: json_reply({"asked": call.path}))
