"""What the runbook lets an administrator do with objects, in a bucket that keeps versions."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_s3 import S3Server
from tests.support.api import ScriptedApi
from tests.support.shop import TREE, Shop, tree

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Versions:
    """A bucket whose every version is kept, and a complete day in it."""

    def __init__(self, client: S3Client, name: str, shop: Shop) -> None:
        self.client, self.name, self.shop = client, name, shop
        self.body = f"raw/extraction_date={shop.date}/source=shop/endpoint=item/id=a.json"
        self.manifest = f"manifests/extraction_date={shop.date}/source=shop/manifest.json"

    def latest(self, key: str) -> str:
        """The id of the latest version, or of the marker of a deletion."""
        found = self.client.list_object_versions(Bucket=self.name, Prefix=key)
        entries = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
        (latest,) = [entry["VersionId"] for entry in entries if entry["IsLatest"]]
        return latest

    def delete(self, key: str, version: str | None = None) -> None:
        more = {"VersionId": version} if version else {}
        self.client.delete_object(Bucket=self.name, Key=key, **more)  # type: ignore[arg-type] # one id, or none

    def replace(self, key: str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=b"wrong")

    def move_aside(self, key: str) -> None:
        source = {"Bucket": self.name, "Key": key}
        self.client.copy_object(Bucket=self.name, Key=f"_aside/{key}", CopySource=source)  # type: ignore[arg-type] # as boto3 takes it
        self.delete(key)

    def verify(self) -> int:
        return self.shop.run(
            "verify", "shop", "--date", self.shop.date, "--to", self.shop.to
        ).status


@pytest.fixture
def versions(
    s3: S3Server,
    s3_client: S3Client,
    api: ScriptedApi,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Versions:
    name = s3.make_bucket(f"ashore-versions-{uuid.uuid4().hex[:12]}")
    s3_client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key, value in s3.environment().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    shop = Shop(api, tmp_path, capsys, f"s3://{name}")
    tree(api, ["a", "b"])
    shop.declare(TREE)
    assert shop.extract().status == 0
    return Versions(s3_client, name, shop)


def test_a_deleted_object_is_back_without_the_marker_of_its_deletion(versions: Versions) -> None:
    for key in (versions.body, versions.manifest):
        versions.delete(key)
        assert versions.verify() == 4
        versions.delete(key, versions.latest(key))
        assert versions.verify() == 0


def test_a_replaced_object_is_back_without_the_version_that_replaced_it(versions: Versions) -> None:
    for key in (versions.body, versions.manifest):
        versions.replace(key)
        assert versions.verify() == 4
        versions.delete(key, versions.latest(key))
        assert versions.verify() == 0


def test_a_rotted_day_is_landed_again_without_its_manifest_and_what_rotted(
    versions: Versions, api: ScriptedApi
) -> None:
    versions.replace(versions.body)
    api.calls.clear()
    assert versions.shop.extract().status == 0  # its manifest stands
    versions.move_aside(versions.manifest)
    assert versions.shop.extract().status == 4
    assert api.calls == []
    versions.move_aside(versions.body)
    assert versions.shop.extract().status == 0
    assert [call.path for call in api.calls] == ["/item/a"]
    assert versions.verify() == 0
