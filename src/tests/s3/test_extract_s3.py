"""A day in S3 is what a day in a folder is, and needs nothing but the bucket to be resumed."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from ashore import cost
from local_s3 import S3Server
from tests.chaos.proxy import Asked, Proxy, hang, ignore_conditions
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.process import ashore, start
from tests.support.shop import ITEMS, TREE, Shop, tree

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGES = 'paging = { kind = "page", param = "page", pages = "pages" }\nrecords = "rows"\n'


class Bucket:
    """What lies in a location."""

    def __init__(self, client: S3Client, location: str) -> None:
        parts = urlsplit(location)
        self.client, self.name, self.prefix = client, parts.netloc, parts.path.strip("/") + "/"

    def names(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=self.prefix + prefix
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return [key.removeprefix(self.prefix) for key in found]

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=self.prefix + key)["Body"].read()

    def write(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=self.prefix + key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=self.prefix + key)

    def metadata(self, key: str) -> dict[str, str]:
        return self.client.head_object(Bucket=self.name, Key=self.prefix + key)["Metadata"]

    def landed(self) -> dict[str, bytes]:
        return {key.partition("endpoint=")[2]: self.read(key) for key in self.names("raw/")}


@pytest.fixture
def bucket(s3_client: S3Client, s3_location: str) -> Bucket:
    return Bucket(s3_client, s3_location)


@pytest.fixture
def shop(
    api: ScriptedApi,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    s3_location: str,
) -> Shop:
    # boto3 looks at the environment once in a process; each test has its own.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return Shop(api, tmp_path, capsys, s3_location)


def manifest(bucket: Bucket) -> dict[str, Any]:
    (key,) = [key for key in bucket.names("manifests/") if key.endswith("/manifest.json")]
    found: dict[str, Any] = json.loads(bucket.read(key))
    return found


def forget(bucket: Bucket, *names: str) -> None:
    """Leave the day as a run leaves it that was killed before these landed."""
    for key in bucket.names():
        if key.startswith("manifests/") or key.partition("endpoint=")[2] in names:
            bucket.delete(key)


def test_bodies_are_those_that_the_api_sent(shop: Shop, api: ScriptedApi, bucket: Bucket) -> None:
    body = b'\xef\xbb\xbf[{"id": 1.0}, {"id": "b b"}]\r\n\n'
    api.on("/items", Reply(body=body, chunked=True))
    api.answer(lambda call: json_reply({"asked": call.path}))
    shop.declare(TREE)
    assert shop.extract().status == 0
    assert bucket.landed() == {
        "items/all.json": body,
        "item/id=1.0.json": b'{"asked": "/item/1.0"}',
        "item/id=b%20b.json": b'{"asked": "/item/b%20b"}',
    }
    assert shop.verify().status == 0
    assert (shop.extract().status, len(api.calls)) == (0, 3)


def test_metadata_is_small_and_ascii_whatever_the_headers(
    shop: Shop, api: ScriptedApi, bucket: Bucket
) -> None:
    wide = "\xe9  " * 33
    headers = {"ETag": wide, "Last-Modified": wide, "Content-Type": wide}
    link = {"Link": f'</items?p={"x" * 560}>; rel="next"'}
    api.on(
        "/items",
        [
            Reply(302, headers={"Location": "/there?" + "y" * 560}),
            json_reply([2], headers=headers),
        ],
    )
    api.on("/there", json_reply([1], headers={**headers, **link}))
    shop.declare(ITEMS + 'paging = { kind = "link" }\n')
    assert shop.extract().status == 0
    for key in bucket.names("raw/"):
        found = bucket.metadata(key)
        text = "".join(name + value for name, value in found.items())
        assert len(text) < 2000
        assert text.isascii()
    assert shop.verify().status == 0


def test_a_killed_run_is_resumed_with_an_empty_working_folder(
    shop: Shop, api: ScriptedApi, bucket: Bucket, tmp_path: Path
) -> None:
    values = [f"v{number:02}" for number in range(10)]
    tree(api, values)
    api.on("/item/v04", Reply(delay=60))
    shop.declare(TREE, source="workers = 2")
    with start(*shop.arguments(), cwd=fresh(tmp_path / "one")) as running:
        running.wait_for(lambda: len(bucket.names("raw/")) >= 7)
        running.kill()
        running.finish()
    there = bucket.landed()
    shutil.rmtree(tmp_path / "one")
    api.calls.clear()
    api.on("/item/v04", json_reply("late"))
    finished = ashore(*shop.arguments(), cwd=fresh(tmp_path / "two"))
    assert finished.status == 0, finished.err
    assert set(api.paths()) == {f"/item/{v}" for v in values if f"item/id={v}.json" not in there}
    assert manifest(bucket)["requests"]["adopted"] == len(there)
    assert list((tmp_path / "two").iterdir()) == []
    assert shop.verify().status == 0


def fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_set_that_landed_in_part_is_completed(
    shop: Shop, api: ScriptedApi, bucket: Bucket
) -> None:
    def answer(call: Call) -> Reply:
        return json_reply({"pages": 3, "rows": [call.query["page"]]})

    api.on("/items", answer)
    shop.declare(ITEMS + PAGES)
    assert shop.extract().status == 0
    before = bucket.landed()
    forget(bucket, "items/page=2.json")
    assert shop.extract().status == 0
    assert bucket.landed() == before
    assert manifest(bucket)["requests"]["adopted"] == 2


@pytest.mark.parametrize("harm", ["changed", "foreign"])
def test_what_does_not_hold_up_is_named_with_its_command(
    shop: Shop, api: ScriptedApi, bucket: Bucket, harm: str
) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    shop.extract()
    forget(bucket)
    (key,) = [key for key in bucket.names("raw/") if key.endswith("id=a.json")]
    key = key if harm == "changed" else key.replace("id=a", "id=z")
    bucket.write(key, b"somebody's")
    ran = shop.extract()
    assert ran.status == 4
    assert f"aws s3 mv {shop.to}/{key} " in ran.err
    assert bucket.read(key) == b"somebody's"


@pytest.mark.parametrize(("body", "status"), [(b"", 0), (b"not empty", 4)], ids=["empty", "full"])
def test_only_an_empty_object_can_be_the_mark_of_a_folder(
    shop: Shop, api: ScriptedApi, bucket: Bucket, body: bytes, status: int
) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    day = f"raw/extraction_date={shop.date}/source=shop/"
    try:
        bucket.client.put_object(Bucket=bucket.name, Key=f"{bucket.prefix}{day}x/", Body=body)
    except bucket.client.exceptions.ClientError:
        pytest.skip("this server has no such objects")
    if f"{day}x/" not in bucket.names("raw/"):
        pytest.skip("this server does not list such objects")
    head = bucket.client.head_object(Bucket=bucket.name, Key=f"{bucket.prefix}{day}x/")
    if head["ContentLength"] != len(body):
        pytest.skip("this server keeps no bytes of such objects")
    assert shop.extract().status == status


@pytest.mark.parametrize("harm", ["flipped", "missing", "extra"])
def test_verify_finds_what_changed(shop: Shop, api: ScriptedApi, bucket: Bucket, harm: str) -> None:
    tree(api, ["a"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    (key,) = [key for key in bucket.names("raw/") if key.endswith("id=a.json")]
    if harm == "missing":
        bucket.delete(key)
    else:
        key = key if harm == "flipped" else key.replace("id=a", "id=z")
        bucket.write(key, b'{"asked": "/item/b"}')
    ran = shop.verify()
    assert (ran.status, key in ran.out + ran.err) == (4, True)


def test_two_runs_at_once_end_with_one_manifest(
    shop: Shop, api: ScriptedApi, bucket: Bucket
) -> None:
    tree(api, [f"v{number:02}" for number in range(12)])
    api.answer(lambda call: json_reply({"number": call.number}, delay=0.01))
    shop.declare(TREE)
    with start(*shop.arguments()) as one, start(*shop.arguments()) as other:
        ended = [one.finish(), other.finish()]
    assert [each.status for each in ended] == [0, 0], ended
    assert manifest(bucket)["objects"] == len(bucket.landed()) == 13
    assert shop.verify().status == 0


def test_a_budget_is_kept_in_the_bucket(shop: Shop, api: ScriptedApi, bucket: Bucket) -> None:
    tree(api, ["a", "b", "c"])
    shop.declare(TREE, source='budget = { requests = 3, per = "1d" }')
    assert (shop.extract().status, len(api.calls)) == (3, 3)
    assert bucket.names("state/") == ["state/source=shop/budget.json"]


@pytest.mark.parametrize("options", [[], ["--check"], ["--json"]], ids=str)
def test_a_missing_bucket_is_5(shop: Shop, api: ScriptedApi, options: list[str]) -> None:
    shop.to = "s3://ashore-no-such-bucket/prefix"
    shop.declare()
    ran = shop.extract(*options)
    assert (ran.status, api.calls) == (5, [])
    assert "bucket" in ran.err
    assert shop.verify().status == 5


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_5(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "wrong-and-long-enough")
    shop.declare()
    ran = shop.extract()
    assert (ran.status, api.calls) == (5, [])
    assert "Traceback" not in ran.err
    assert "wrong-and-long-enough" not in ran.err


def test_no_credentials_are_5(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    shop.declare()
    assert (shop.extract().status, api.calls) == (5, [])


def test_a_profile_that_is_not_there_is_2(
    shop: Shop, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    shop.declare()
    ran = shop.extract()
    assert (ran.status, api.calls, "nobody" in ran.err) == (2, [], True)


def test_a_store_that_ignores_conditions_is_found_at_the_start(
    shop: Shop, api: ScriptedApi, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.declare()
    with Proxy(s3.endpoint) as proxy:
        proxy.fault(ignore_conditions, "PUT")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        for options in ([], ["--check"]):
            ran = shop.extract(*options)
            assert (ran.status, api.calls) == (5, [])
            assert "If-None-Match" in ran.err


def test_verify_of_an_s3_that_hangs_can_be_interrupted(
    shop: Shop, api: ScriptedApi, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(api, ["a", "b"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    with Proxy(s3.endpoint) as proxy:
        proxy.fault(hang, "GET", "endpoint=item/")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        with start("verify", "--to", shop.to) as running:
            running.wait_for(lambda: len(proxy.played) == 2)
            running.kill(signal.SIGINT)
            assert running.finish(10).status == 130


def test_s3_is_asked_as_often_as_the_cost_of_a_plan_says(
    shop: Shop, api: ScriptedApi, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(api, ["a", "b"])
    shop.declare(TREE)
    with Proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        assert [shop.extract().status for _ in range(1 + cost.CATCH_UPS)] == [0] * 4
        asked = Counter(_price_class(call) for call in proxy.calls)
    assert asked == {
        "PUT": 3 + cost.STATEMENTS,  # the list, and an item for each of two
        "LIST": 2,
        "READ": cost.LOOKS + cost.CATCH_UPS,
    }


def _price_class(call: Asked) -> str:
    if "list-type=2" in call.target:
        return "LIST"
    return "PUT" if call.method == "PUT" else "READ"
