"""The task's own policy, image's environment and bucket, on a server that enforces policies.

The policy and the environment are those that Terraform rendered. Conditions are taken out of the
policy: no local server knows the header of a conditional write by the name that S3 gives it
(s3:if-none-match), and a prefix that a listing is asked for has no names on this one.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_s3 import S3Server
from tests.infra.applied import Applied
from tests.support import process
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.catalogs import write_catalog

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.infra, pytest.mark.slow, pytest.mark.timeout(1200)]

HOMES = {"the landing itself": "", "a release trying itself out": "smoke/sha256-0123/"}
USERS_TAKE_SECONDS = 15.0
"""A bound for the time in which a new user becomes known."""
SOURCE = """
[source.world_bank]
base_url = "$url/"
retry = { attempts = 1 }
budget = { requests = 500, per = "30d" }

[[source.world_bank.endpoint]]
name = "countries"
path = "countries"

[[source.world_bank.endpoint]]
name = "country"
path = "country/{id}"
for_each = { endpoint = "countries", select = "[].id", as = "id" }
"""
# A permission is an action on what lies below a prefix of a home; listing is of the whole bucket.
BELOW = ("raw", "manifests", "state")
PERMISSIONS = [
    *(("s3:PutObject", below) for below in BELOW),
    *(("s3:GetObject", below) for below in BELOW),
    ("s3:ListBucket", ""),
]


@dataclass(frozen=True, slots=True)
class Landing:
    """The bucket on a server that enforces policies, and the way to act as the task."""

    server: S3Server
    bucket: str
    policy: dict[str, Any]
    container: dict[str, Any]

    @property
    def command(self) -> list[str]:
        """What the container is told to do."""
        return [str(word) for word in self.container["command"]]

    def environment(self, home: str) -> dict[str, str]:
        """The container's own environment; a release lands below a home of its own."""
        given = {each["name"]: each["value"] for each in self.container["environment"]}
        assert given["ASHORE_TO"] == f"s3://{self.bucket}"
        return {**given, "ASHORE_TO": f"s3://{self.bucket}/{home}".rstrip("/")}

    @contextlib.contextmanager
    def user(self, policy: dict[str, Any]) -> Iterator[dict[str, str]]:
        """A user of the server's own with this policy: the variables that hold its keys."""
        name, iam = f"task-{uuid.uuid4().hex[:8]}", self.server.iam()
        with contextlib.closing(iam):
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="land", PolicyDocument=json.dumps(policy))
            key = iam.create_access_key(UserName=name)["AccessKey"]
            keys = {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            }
            yield {**self.server.environment(), **keys}


@pytest.fixture(scope="module")
def landing(everything: Applied, s3: S3Server) -> Landing:
    """The bucket that Terraform names, and what it says of the task."""
    bucket = everything.outputs["location"].removeprefix("s3://")
    with contextlib.suppress(s3.client().exceptions.BucketAlreadyOwnedByYou):
        s3.make_bucket(bucket)
    policy = json.loads(everything.outputs["task_policy"])
    return Landing(
        s3,
        bucket,
        without_conditions(policy),
        json.loads(everything.outputs["container_definition"]),
    )


@pytest.fixture
def source(api: ScriptedApi, tmp_path: Path) -> dict[str, str]:
    """The only thing that is not the task's own: a source on loopback instead of the API."""
    names = ["ABW", "AFG", "AGO"]
    asked: list[Call] = []

    def country(call: Call) -> Reply:
        asked.append(call)
        # One country fails at first, so that there is a day to go on with.
        return Reply(503) if call.path.endswith("AGO") and call.number == 1 else json_reply({})

    api.on("/countries", json_reply([{"id": name} for name in names]))
    api.answer(country)
    catalog = write_catalog(tmp_path / "catalog.toml", SOURCE, url=api.url)
    return {"ASHORE_CATALOG": str(catalog)}


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
def test_a_day_lands_with_just_the_permissions_of_the_task(
    landing: Landing, source: dict[str, str], home: str, api: ScriptedApi
) -> None:
    with emptied(landing), landing.user(landing.policy) as keys:
        ended = a_day(landing, {**landing.environment(home), **keys, **source})
        assert [each.status for each in ended] == [3, 0, 0], ended[-1].err
        landed = [each["Key"] for each in objects(landing)]
    assert len(api.calls) == 4 + 1  # the third run asks for nothing
    assert all(key.startswith(home) for key in landed)
    assert sum("/endpoint=country/" in key for key in landed) == 3
    assert sum(key.endswith("/manifest.json") for key in landed) == 1


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES)
@pytest.mark.parametrize(("action", "below"), PERMISSIONS)
def test_no_permission_of_the_task_is_needless(
    landing: Landing, source: dict[str, str], home: str, action: str, below: str
) -> None:
    lacking = without(landing, action, f"{home}{below}")
    with emptied(landing), landing.user(lacking) as keys:
        ended = a_day(landing, {**landing.environment(home), **keys, **source})
    assert 5 in [each.status for each in ended], [each.status for each in ended]
    assert action in "".join(each.err for each in ended)


def test_what_is_tried_one_by_one_is_all_that_the_task_may_do(landing: Landing) -> None:
    top = f"arn:aws:s3:::{landing.bucket}"
    granted = {
        (action, resource)
        for statement in landing.policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    homes = ["", "smoke/*/"]
    assert granted == {
        (action, f"{top}/{home}{below}/*" if below else top)
        for action, below in PERMISSIONS
        for home in homes
    }


ELSEWHERE: dict[str, Callable[[S3Client, str], object]] = {
    "delete": lambda client, bucket: client.delete_object(Bucket=bucket, Key="raw/kept"),
    "write": lambda client, bucket: client.put_object(Bucket=bucket, Key="else/new", Body=b""),
    "read": lambda client, bucket: client.get_object(Bucket=bucket, Key="else/kept"),
}


@pytest.mark.parametrize("attempt", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_task_may_neither_delete_nor_go_elsewhere(
    landing: Landing, attempt: Callable[[S3Client, str], object]
) -> None:
    admin = landing.server.client()
    for key in ("raw/kept", "else/kept"):
        admin.put_object(Bucket=landing.bucket, Key=key, Body=b"kept")
    with emptied(landing), landing.user(landing.policy) as keys:
        user = S3Server(
            landing.server.endpoint, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]
        )
        client = known(user.client(), landing)
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt(client, landing.bucket)


def a_day(landing: Landing, environment: dict[str, str]) -> list[process.Finished]:
    """Extract three times: the source fails, the source has recovered, nothing is left to do."""
    moment = dt.datetime.now(dt.UTC).replace(hour=1, minute=0, second=0, microsecond=0)
    scheduled = {"ASHORE_SCHEDULED_AT": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
    ended = []
    for _ in range(3):
        ended.append(process.ashore(*landing.command, env={**environment, **scheduled}))
        if ended[-1].status == 5:
            break
    return ended


def without_conditions(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy of which every statement holds always."""
    bare = copy.deepcopy(policy)
    for statement in bare["Statement"]:
        statement.pop("Condition", None)
    return bare


def without(landing: Landing, action: str, prefix: str) -> dict[str, Any]:
    """The task's policy but for one permission."""
    top = f"arn:aws:s3:::{landing.bucket}"
    missing = f"{top}/{prefix.replace('sha256-0123', '*')}/*" if action != "s3:ListBucket" else top
    lacking, found = copy.deepcopy(landing.policy), False
    for statement in lacking["Statement"]:
        if action in statement["Action"] and missing in statement["Resource"]:
            statement["Resource"].remove(missing)
            found = True
    assert found, f"the task has no {action} on {missing}"
    lacking["Statement"] = [each for each in lacking["Statement"] if each["Resource"]]
    return lacking


@contextlib.contextmanager
def emptied(landing: Landing) -> Iterator[None]:
    """Leave nothing in the bucket behind."""
    try:
        yield
    finally:
        client = landing.server.client()
        for each in objects(landing):
            client.delete_object(Bucket=landing.bucket, Key=each["Key"])


def objects(landing: Landing) -> list[dict[str, Any]]:
    """All that lies in the bucket."""
    found = landing.server.client().list_objects_v2(Bucket=landing.bucket)
    return [dict(each) for each in found.get("Contents", [])]


def known(client: S3Client, landing: Landing) -> S3Client:
    """The same client, once the server knows its user: a new one takes a moment to be known."""
    deadline = time.monotonic() + USERS_TAKE_SECONDS
    while True:
        try:
            client.get_object(Bucket=landing.bucket, Key="raw/kept")
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return client
