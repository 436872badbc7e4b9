"""One round's world: a source on loopback, a catalog, a location, and the program run in it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local_s3 import S3Server
from tests.chaos.leaks import found, keys_of
from tests.support import process, warm
from tests.support.api import Reply, ScriptedApi
from tests.support.process import Finished, Running, start

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SOURCE = "shop"
SECRET = "k/ey+of=the%shop'7"
SWIFT = 'retry = { attempts = 3, max_wait = "10ms", max_pause = "5s" }'
AUTH = (
    'auth = { param = "key", env = "SHOP_KEY" }',
    'auth = { header = "X-Api-Key", env = "SHOP_KEY" }',
    'auth = { bearer_env = "SHOP_KEY" }',
)
TREE = """
[[source.shop.endpoint]]
name = "items"
path = "items"

[[source.shop.endpoint]]
name = "item"
path = "item/{id}"
for_each = { endpoint = "items", select = "[].id", as = "id" }
"""
LIST = """
[[source.shop.endpoint]]
name = "items"
path = "items"
"""


@dataclass(frozen=True)
class Place:
    """Where rows that need S3 land: a bucket of a local server."""

    server: S3Server
    bucket: str

    @cached_property
    def client(self) -> S3Client:
        """One client for all that look here: to make one takes longer than to use it."""
        return self.server.client()

    def read(self, prefix: str) -> dict[str, bytes]:
        """Return all objects below a prefix, by their keys without it."""
        return {
            key.removeprefix(prefix): self.client.get_object(Bucket=self.bucket, Key=key)[
                "Body"
            ].read()
            for key in self._keys(prefix)
        }

    def carried(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield all objects below a prefix: the key, and all that a reader of it is sent."""
        for key in self._keys(prefix):
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
            head = json.dumps([key, answer["Metadata"], answer["ResponseMetadata"]["HTTPHeaders"]])
            yield key, b"%s\n%s" % (head.encode(), answer["Body"].read())

    def _keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that ended, and what it said."""

    arguments: tuple[str, ...]
    status: int
    out: str
    err: str
    seconds: float
    requests: int
    """How many requests the source saw meanwhile."""
    first: int = 0
    """How many it had seen before."""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def named(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.events if line.get("event") == event]

    @property
    def told(self) -> str:
        """How it ended, in its own words."""
        for line in reversed(self.named("run_ended")):
            return "; ".join(str(line[key]) for key in ("reason", "safe", "next") if line.get(key))
        return self.err.strip()

    def says(self, *words: str) -> None:
        """Assert that it told its reader these words."""
        unsaid = [word for word in words if word not in self.told]
        assert not unsaid, f"does not say {unsaid}: {self.told}"


@dataclass(slots=True)
class World:
    """A source with a key, its catalog, and a location; everything is gone afterwards."""

    place: Place | None
    chance: random.Random
    round: int = 1
    runs: list[Ran] = field(default_factory=list)
    looks: list[Ran] = field(default_factory=list)
    """Commands that only looked: they do not count among the runs."""
    truth: dict[str, bytes] = field(default_factory=dict)
    """What has to land: bodies by their names below the source, without `endpoint=`."""
    compared: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    """What a round measures besides, by what it is: the table shows it over all rounds."""
    api: ScriptedApi = field(default_factory=ScriptedApi)
    date: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).date().isoformat())
    environment: dict[str, str | None] = field(default_factory=dict)
    """More variables for every command; None removes one."""
    to: str = ""
    _ends: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    folder: Path = Path()
    """Of this world alone; the location is `landing` in it, unless it is in S3."""

    def __enter__(self) -> Self:
        self.folder = Path(
            self._ends.enter_context(tempfile.TemporaryDirectory(prefix="ashore-chaos-"))
        )
        self._ends.enter_context(self.api)
        (self.folder / "tmp").mkdir()
        self.environment |= {"SHOP_KEY": SECRET, "TMPDIR": str(self.folder / "tmp")}
        self.to = str(self.folder / "landing")
        if self.place is not None:
            self.environment |= self.place.server.environment()
            self.to = f"s3://{self.place.bucket}/{self.folder.name}"
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    # --- what is asked

    def declare(
        self, endpoints: str = TREE, source: str = "", retry: str = SWIFT, url: str = ""
    ) -> None:
        """Write the catalog; the key goes as parameter, header or token, by the round."""
        auth = AUTH[self.round % len(AUTH)]
        head = f'[source.{SOURCE}]\nbase_url = "{url or self.api.url}"\n{retry}\n{auth}\n{source}\n'
        (self.folder / "catalog.toml").write_text(head + endpoints, encoding="utf-8")

    def serve(self, items: int = 12, size: int = 40) -> None:
        """Answer a listing and so many items, and know what has to land of them."""
        listing = [{"id": f"i{number}"} for number in range(1, items + 1)]
        self.answer("/items", "items/all.json", json.dumps(listing).encode())
        for each in listing:
            body = json.dumps({**each, "text": self.chance.randbytes(size).hex()}).encode()
            self.answer(f"/item/{each['id']}", f"item/id={each['id']}.json", body)

    def answer(self, path: str, name: str, body: bytes) -> None:
        """Answer a path well, always, with bytes that have to land under a name."""
        self.truth[name] = body
        self.api.on(path, good(body))

    def fault(self, path: str, replies: Sequence[Reply], name: str) -> None:
        """Let a path answer in these ways first, one after the other, and then well."""
        self.api.on(path, [*replies, good(self.truth[name])])

    def items(self) -> list[tuple[str, str]]:
        """The paths of all items and the names under which they land."""
        names = [name for name in self.truth if name.startswith("item/")]
        return [(f"/item/{name[8:-5]}", name) for name in names]

    # --- the program

    def extract(self, *options: str, timeout: float = 90, **environment: str) -> Ran:
        """Extract the day to its end, and keep how it went."""
        return self.run(*self.arguments(*options), timeout=timeout, **environment)

    def verify(self, *options: str) -> Ran:
        """Read the day back."""
        return self.run("verify", SOURCE, "--to", self.to, *options)

    def run(self, *arguments: str, timeout: float = 90, **environment: str) -> Ran:
        """Run any command line to its end, and keep how it went."""
        before = len(self.api.calls)
        ended = self._end_of(arguments, timeout, environment)
        return self.keep(arguments, ended, before)

    def look(self, *arguments: str) -> Ran:
        """Run a command that only reads, which is not one of the round's runs."""
        before = len(self.api.calls)
        self.looks.append(self._ran(arguments, self._end_of(arguments), before))
        return self.looks[-1]

    def _end_of(
        self, arguments: Sequence[str], timeout: float = 90, more: Mapping[str, str] | None = None
    ) -> Finished:
        variables = {**self.environment, **(more or {})}
        # A double has to be there before the program is loaded.
        ashore = process.ashore if "PYTHONPATH" in variables else warm.ashore
        return ashore(*arguments, env=variables, cwd=self.folder, timeout=timeout)

    def begin(self, *arguments: str, **environment: str) -> Running:
        """Start a command line; use it in a `with` statement."""
        return start(*arguments, env={**self.environment, **environment}, cwd=self.folder)

    def double(self, code: str) -> str:
        """Return the PYTHONPATH with which a command runs some code of ours before all else."""
        folder = Path(tempfile.mkdtemp(prefix="double-", dir=self.folder))
        (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
        return os.pathsep.join([str(folder), *sys.path])

    def keep(self, arguments: Sequence[str], ended: Finished, before: int = 0) -> Ran:
        """Keep how a command went that ended."""
        self.runs.append(self._ran(arguments, ended, before))
        return self.runs[-1]

    def _ran(self, arguments: Sequence[str], ended: Finished, before: int) -> Ran:
        requests = len(self.api.calls) - before
        told = (ended.status, ended.out, ended.err, ended.seconds)
        return Ran(tuple(arguments), *told, requests, before)

    def arguments(self, *options: str) -> list[str]:
        """The command line of an extraction."""
        catalog = str(self.folder / "catalog.toml")
        where = ["--catalog", catalog, "--to", self.to, "--date", self.date]
        return ["extract", *where, *options]

    # --- what is there

    def landed(self) -> dict[str, bytes]:
        """The bodies of the day, by the names that `truth` has; none of other sources."""
        top = f"raw/extraction_date={self.date}/"
        prefix = f"{top}source={SOURCE}/endpoint="
        return {
            path.removeprefix(prefix): body
            for path, body in self.everything(top).items()
            if path.startswith(f"{top}source={SOURCE}/") or not path.startswith(f"{top}source=")
        }

    def everything(self, prefix: str = "") -> dict[str, bytes]:
        """All objects of the location below a prefix (ending in a slash), by their paths."""
        if self.place is not None:
            below = f"{self.to.removeprefix(f's3://{self.place.bucket}/')}/{prefix}"
            return {prefix + path: body for path, body in self.place.read(below).items()}
        top = Path(self.to)
        return {
            file.relative_to(top).as_posix(): file.read_bytes()
            for file in sorted((top / prefix).rglob("*"))
            if file.is_file()
        }

    def manifest(self) -> dict[str, Any] | None:
        """The statement that the day is complete, if it stands."""
        path = f"manifests/extraction_date={self.date}/source={SOURCE}/manifest.json"
        body = self.everything("manifests/").get(path)
        return json.loads(body) if body is not None else None

    def attempts(self) -> list[dict[str, Any]]:
        """The reports of runs that did not complete the day, in the order of their ends."""
        found = self.everything("manifests/")
        attempts = [json.loads(found[path]) for path in found if path.endswith("attempt.json")]
        return sorted(attempts, key=itemgetter("finished_at"))

    # --- what was promised

    def is_whole(self) -> None:
        """Assert that the day is complete: every byte as it was sent, and nothing else."""
        landed = self.landed()
        assert sorted(landed) == sorted(self.truth)
        wrong = [name for name, body in landed.items() if body != self.truth[name]]
        assert not wrong, f"not what was sent: {wrong}"
        manifest = self.manifest()
        assert manifest is not None, "no manifest"
        assert (manifest["objects"], manifest["bytes"]) == (
            len(self.truth),
            sum(map(len, self.truth.values())),
        )
        self.compared += manifest["bytes"]
        checked = self.look("verify", SOURCE, "--to", self.to)
        assert checked.status == 0, checked

    def is_partly_there(self, *missing: str) -> None:
        """Assert that there is no manifest, and that what landed is as it was sent.

        All that has to land did, but for what is named; names that are not known may not land.
        """
        landed = self.landed()
        assert sorted(landed) == sorted(set(self.truth) - set(missing))
        self.is_not_stated()

    def is_not_stated(self) -> None:
        """Assert that there is no manifest, and that whatever landed is as it was sent."""
        landed = self.landed()
        wrong = [name for name, body in landed.items() if body != self.truth.get(name)]
        assert not wrong, f"not what was sent: {wrong}"
        assert self.manifest() is None, "a manifest stands"
        self.compared += sum(map(len, landed.values()))

    def goes_on(self, *options: str, requests: int | None = None) -> Ran:
        """Run again without the fault: only what has not landed is asked for; the day is whole.

        Of an endpoint with pages the whole set is asked for anew: then the number is given.
        """
        self.is_not_stated()
        missing = len(self.truth) - len(self.landed()) if requests is None else requests
        ran = self.extract(*options)
        assert ran.requests == missing, f"{ran.requests} requests, {missing} had to be sent"
        self.is_whole()
        return ran

    def is_reported(self, *words: str) -> dict[str, Any]:
        """Assert that the latest run left an attempt that says as much as its log: return it."""
        ran = self.runs[-1]
        (ended,) = ran.named("run_ended")
        (attempt,) = [each for each in self.attempts() if each["run_id"] == ended["run_id"]]
        for key in ("reason", "safe", "next"):
            assert attempt[key], f"the attempt says nothing of {key}"
            assert attempt[key] == ended[key], (attempt[key], ended[key])
        ran.says(*words)
        return attempt

    def has_leaked_nothing(self) -> None:
        """Assert that no key is anywhere, in no spelling, and that no command died of a bug."""
        for ran in [*self.runs, *self.looks]:
            assert "Traceback" not in ran.err or ran.status == 1, ran.err
        keys = {SECRET, *keys_of(self.environment)}
        for where, data in self._all_that_was_left():
            piece = found(data, keys)
            assert piece is None, f"{where}: holds {piece!r} of a key"

    def _all_that_was_left(self) -> Iterator[tuple[str, bytes]]:
        """All that was told, and every file and object by its name, with all that it carries."""
        for ran in [*self.runs, *self.looks]:
            yield f"told by {' '.join(ran.arguments)}", f"{ran.out}{ran.err}".encode()
        for file in self.folder.rglob("*"):
            if file.is_file():
                yield str(file), b"%s\n%s" % (os.fsencode(file), file.read_bytes())
        if self.place is not None:
            yield from self.place.carried(self.to.removeprefix(f"s3://{self.place.bucket}/"))


def good(body: bytes) -> Reply:
    """A good answer with just these bytes."""
    return Reply(body=body, headers={"Content-Type": "application/json"})
