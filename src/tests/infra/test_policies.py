"""No policy that Terraform renders holds a wildcard whose reason is not written beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.applied import Applied
from tests.support.local_aws import ACCOUNT, REGION
from tests.support.terraform import CONFIGURATION

pytestmark = [pytest.mark.infra, pytest.mark.slow, pytest.mark.timeout(1200)]

Statement = dict[str, Any]


def test_every_wildcard_has_a_written_reason(everything: Applied) -> None:
    reasons = dict(statements_in_the_configuration())
    wide = {statement["Sid"] for statement in rendered(everything) if is_wide(statement)}
    assert wide  # a token of ECR's takes no narrower resource: there is one at least
    assert {sid for sid in wide if not reasons[sid]} == set()


def test_nothing_but_a_denial_is_of_every_action(everything: Applied) -> None:
    allowed = [each for each in rendered(everything) if each["Effect"] == "Allow"]
    assert len(allowed) > 20
    assert [
        each["Sid"]
        for each in allowed
        if any(a in ("*", f"{a.split(':')[0]}:*") for a in listed(each, "Action"))
    ] == []


def test_nothing_that_runs_may_delete_what_landed(everything: Applied) -> None:
    for role in ("task", "execution", "schedule"):
        actions = {
            action
            for policy in inline(everything, f"ashore-dev-{role}")
            for each in policy["Statement"]
            for action in listed(each, "Action")
        }
        assert actions
        assert not {action for action in actions if "Delete" in action or "*" in action}


def test_bodies_and_manifests_can_only_be_created(everything: Applied) -> None:
    (policy,) = inline(everything, "ashore-dev-task")
    for each in policy["Statement"]:
        if "s3:PutObject" in each["Action"] and not all("/state/" in r for r in each["Resource"]):
            assert each["Condition"] == {"Null": {"s3:if-none-match": "false"}}


def test_whoever_opens_a_pull_request_reads_no_landed_object(everything: Applied) -> None:
    (policy,) = inline(everything, "ashore-github-plan")
    for each in policy["Statement"]:
        assert all(re.match(r"[a-z0-9]+:(Get|Describe|List)", a) for a in each["Action"])
        if "s3:GetObject" in each["Action"]:
            assert each["Resource"] == [
                f"arn:aws:s3:::terraform-state-ashore-{ACCOUNT}/environments/*"
            ]


def test_rules_may_write_to_the_topic_without_a_condition(everything: Applied) -> None:
    """EventBridge tells SNS nothing that a condition could look at: it would lose its mails."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:ashore-dev-alarms"
    found = everything.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    said = {each["Principal"]["Service"]: each for each in json.loads(found)["Statement"]}
    assert "Condition" not in said["events.amazonaws.com"]
    assert "Condition" in said["cloudwatch.amazonaws.com"]


def rendered(everything: Applied) -> Iterator[Statement]:
    """All statements of all policies, as AWS was told them."""
    for document in documents(everything):
        yield from document["Statement"]


def documents(everything: Applied) -> Iterator[dict[str, Any]]:
    iam, sqs, sns = (everything.client(each) for each in ("iam", "sqs", "sns"))
    for role in iam.list_roles()["Roles"]:
        yield from inline(everything, role["RoleName"])
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/ashore-boundary"
    yield iam.get_policy_version(PolicyArn=boundary, VersionId="v1")["PolicyVersion"]["Document"]
    bucket = everything.outputs["location"].removeprefix("s3://")
    yield json.loads(everything.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:ashore-dev-alarms"
    yield json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    url = sqs.get_queue_url(QueueName="ashore-dev-not-started")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    yield json.loads(found["Attributes"]["Policy"])
    for endpoint in everything.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]:
        yield json.loads(endpoint["PolicyDocument"])


def inline(everything: Applied, role: str) -> list[dict[str, Any]]:
    iam = everything.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return [iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"] for each in names]


def is_wide(statement: Statement) -> bool:
    """Whether a statement is of more than what it names, but for what lies below a prefix."""
    everyone = statement.get("Principal") == "*"
    return (
        everyone
        or "*" in listed(statement, "Resource")
        or any("*" in action for action in listed(statement, "Action"))
    )


def listed(statement: Statement, name: str) -> list[str]:
    found = statement.get(name, [])
    return [found] if isinstance(found, str) else list(found)


def statements_in_the_configuration() -> Iterator[tuple[str, bool]]:
    """Each statement that is written down, and whether a comment stands within it."""
    for file in sorted(CONFIGURATION.rglob("*.tf")):
        text = file.read_text(encoding="utf-8")
        for found in re.finditer(r'Sid += "(\w+)"', text):
            yield found[1], "#" in block_around(text, found.start())


def block_around(text: str, place: int) -> str:
    """The innermost braces around a place."""
    begin, depth = place, 1
    while depth:
        begin -= 1
        depth += {"}": 1, "{": -1}.get(text[begin], 0)
    end, depth = place, 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[begin:end]
