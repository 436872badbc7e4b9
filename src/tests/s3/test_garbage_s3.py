"""Whatever comes into the objects that ashore reads back from S3, and what they carry with them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import ScriptedApi
from tests.support.garbage import CATALOG, DATE, MANIFESTS, POOL, answer, changes, said
from tests.support.mangled import mangled, share, torn

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Objects = dict[str, tuple[bytes, Mapping[str, str]]]
FRESH = [HealthCheck.function_scoped_fixture]  # each example has a prefix of its own


class Bucket:
    """A bucket in which each example has a location of its own."""

    def __init__(self, client: S3Client, location: str, folder: Path, api: ScriptedApi) -> None:
        parts = urlsplit(location)
        self.client, self.name, self.prefix = client, parts.netloc, parts.path.strip("/")
        self.catalog = folder / "catalog.toml"
        self.catalog.write_text(CATALOG.format(url=api.url), encoding="utf-8")
        self.whole, self.half = self.anew(), self.anew()
        self.extract({0}, self.whole)
        self.extract({3}, self.half, "--max-requests", "4")

    def anew(self) -> str:
        return f"{self.prefix}/{uuid.uuid4().hex}"

    def to(self, prefix: str) -> list[str]:
        return ["--to", f"s3://{self.name}/{prefix}"]

    def extract(self, allowed: set[int], prefix: str, *more: str) -> int:
        where = ["--catalog", str(self.catalog), "--date", DATE, *self.to(prefix)]
        return said(allowed, "extract", *where, *more).status

    def objects(self, prefix: str) -> Objects:
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=f"{prefix}/")
        found: Objects = {}
        for key in (entry["Key"] for entry in listed["Contents"]):
            there = self.client.get_object(Bucket=self.name, Key=key)
            found[key.removeprefix(f"{prefix}/")] = (there["Body"].read(), there["Metadata"])
        return found

    def put(self, prefix: str, objects: Objects) -> None:
        for path, (body, metadata) in objects.items():
            self.client.put_object(
                Bucket=self.name, Key=f"{prefix}/{path}", Body=body, Metadata=metadata
            )


def bodies(objects: Objects) -> dict[str, bytes]:
    return {path: body for path, (body, _) in objects.items() if path.startswith("raw/")}


@pytest.fixture
def bucket(s3_client: S3Client, s3_location: str, tmp_path: Path, api: ScriptedApi) -> Bucket:
    answer(api)
    return Bucket(s3_client, s3_location, tmp_path, api)


@st.composite
def carried(draw: st.DrawFn, notes: str) -> str:
    """What an object carries, and something is wrong with it; S3 takes printable ASCII alone."""
    garbage = draw(
        torn(notes.encode()).map(lambda found: found[:1_900].decode("latin-1"))
        | mangled(json.loads(notes), POOL).map(lambda found: json.dumps(found)[:1_900])
    )
    return "".join(c for c in garbage if c.isascii() and c.isprintable()).replace("  ", " ").strip()


@settings(max_examples=share(0.1), suppress_health_check=FRESH)
@given(st.data())
def test_a_half_day_with_garbage_is_completed_as_the_api_has_it_or_not_at_all(
    bucket: Bucket, data: st.DataObject
) -> None:
    objects = bucket.objects(bucket.half)
    landed = sorted(path for path in objects if path.startswith("raw/"))
    for path in data.draw(st.lists(st.sampled_from(landed), max_size=2, unique=True)):
        body, metadata = objects[path]
        notes = metadata.get("ashore", "{}")
        objects[path] = (body, {"ashore": data.draw(carried(notes))} if notes else {})
    files = {path: body for path, (body, _) in objects.items()}
    if data.draw(st.booleans()):
        for path, body in data.draw(changes(files, lambda _: True)).items():
            objects[path] = (body, objects[path][1])
    prefix = bucket.anew()
    bucket.put(prefix, objects)
    status = bucket.extract({0, 2, 3, 4, 5}, prefix)
    now = bucket.objects(prefix)
    assert bodies(now).items() >= bodies(objects).items(), "something that landed was replaced"
    if status == 0:
        assert bodies(now) == bodies(bucket.objects(bucket.whole))
        said({0}, "verify", *bucket.to(prefix))
    else:
        assert f"{MANIFESTS}manifest.json" not in now


@settings(max_examples=share(0.1), suppress_health_check=FRESH)
@given(st.data(), st.sampled_from(["verify --json", "plan shop", "status --check", "extract"]))
def test_garbage_in_a_complete_day_is_told_and_never_taken_for_a_good_one(
    bucket: Bucket, data: st.DataObject, words: str
) -> None:
    objects = bucket.objects(bucket.whole)
    files = {path: body for path, (body, _) in objects.items()}
    about = ("manifests/", "raw/")
    for path, body in data.draw(changes(files, lambda path: path.startswith(about))).items():
        objects[path] = (body, objects[path][1])
    prefix = bucket.anew()
    bucket.put(prefix, objects)
    if words == "extract":
        bucket.extract({0, 4, 5}, prefix)
    else:
        catalog = [] if words.startswith("verify") else ["--catalog", str(bucket.catalog)]
        status = said({0, 4, 5}, *words.split(), *catalog, *bucket.to(prefix)).status
        if words.startswith("verify") and status == 0:
            assert bodies(objects) == bodies(bucket.objects(bucket.whole))
    assert bucket.objects(prefix) == objects, "something was mended in silence"
