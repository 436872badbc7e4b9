"""What Terraform makes, read back from a local AWS: nothing here looks at the configuration."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra.applied import DIGEST, REST_COUNTRIES, Applied
from tests.support.local_aws import ACCOUNT, REGION
from tests.support.terraform import CONFIGURATION, Terraform, copy_of_the_configuration

pytestmark = [pytest.mark.infra, pytest.mark.slow, pytest.mark.timeout(1200)]

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ashore-dev-alarms"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ashore-dev-not-started"
SCHEDULES = {
    "ashore-dev-daily": "cron(0 1 * * ? *)",
    "ashore-dev-catch-up": "cron(0 2,4,8 * * ? *)",
}


@pytest.mark.parametrize("part", ["bootstrap", "modules/environment"])
def test_the_logic_of_it_without_any_aws(terraform: None, part: str, tmp_path: Any) -> None:
    there = Terraform(copy_of_the_configuration(tmp_path) / part)
    there.initialise()
    said = there.run("test")
    assert "0 failed" in said
    assert " passed" in said


@pytest.mark.parametrize("part", ["bootstrap", "environments/dev", "environments/prod"])
def test_it_is_valid(terraform: None, part: str, tmp_path: Any) -> None:
    there = Terraform(copy_of_the_configuration(tmp_path) / part)
    there.initialise()
    assert "The configuration is valid" in there.run("validate")


def test_the_environments_differ_only_in_what_their_main_says() -> None:
    dev, prod = (CONFIGURATION / "environments" / name for name in ("dev", "prod"))
    for name in ("variables.tf", "outputs.tf", ".terraform.lock.hcl"):
        assert (dev / name).read_bytes() == (prod / name).read_bytes()


def test_applied_again_nothing_changes(everything: Applied) -> None:
    assert everything.changes == {"bootstrap": "", "dev": "", "dev, released": ""}


def test_before_the_first_release_no_rule_starts_anything(everything: Applied) -> None:
    assert everything.first_rules == dict.fromkeys(SCHEDULES, "DISABLED")
    assert everything.first_outputs["released"] is False


def test_after_a_release_the_rules_run_just_its_image(everything: Applied) -> None:
    found = everything.client("events").list_rules(NamePrefix="ashore-dev-")["Rules"]
    states = {each["Name"]: each["State"] for each in found if "ScheduleExpression" in each}
    assert states == dict.fromkeys(SCHEDULES, "ENABLED")
    for rule in SCHEDULES:
        definition = definition_of(everything, target(everything, rule))
        (container,) = definition["containerDefinitions"]
        assert container["image"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ashore@{DIGEST}"


def test_the_hours_are_those_that_were_promised(everything: Applied) -> None:
    events = everything.client("events")
    found = {rule: events.describe_rule(Name=rule)["ScheduleExpression"] for rule in SCHEDULES}
    assert found == SCHEDULES


@pytest.mark.parametrize("rule", SCHEDULES)
def test_a_rule_starts_one_task_and_hands_it_the_hour(everything: Applied, rule: str) -> None:
    found = target(everything, rule)
    assert found["Arn"].endswith(":cluster/ashore-dev")
    assert found["RoleArn"].endswith(":role/ashore-dev-schedule")
    assert found["InputTransformer"]["InputPathsMap"] == {"time": "$.time"}
    # To the letter: nothing local plays the part of EventBridge, which puts the time in here.
    assert found["InputTransformer"]["InputTemplate"].strip() == (
        '{"containerOverrides":[{"name":"ashore","environment":'
        '[{"name":"ASHORE_SCHEDULED_AT","value":<time>}]}]}'
    )
    parameters = found["EcsParameters"]
    assert (parameters["TaskCount"], parameters["LaunchType"]) == (1, "FARGATE")
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    assert network["AssignPublicIp"] == "ENABLED"
    assert len(network["Subnets"]) == 2


@pytest.mark.parametrize("rule", SCHEDULES)
def test_a_start_that_fails_is_tried_again_and_leaves_a_letter(
    everything: Applied, rule: str
) -> None:
    found = target(everything, rule)
    assert found["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600}
    assert found["DeadLetterConfig"] == {"Arn": QUEUE}
    sqs = everything.client("sqs")
    url = sqs.get_queue_url(QueueName="ashore-dev-not-started")["QueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    (statement,) = json.loads(policy["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert any(arn.endswith(f":rule/{rule}") for arn in allowed)


def test_the_container_can_do_little_and_is_given_time_to_end(everything: Applied) -> None:
    definition = definition_of(everything, target(everything, "ashore-dev-daily"))
    (container,) = definition["containerDefinitions"]
    assert definition["requiresCompatibilities"] == ["FARGATE"]
    assert container["user"] == "10001:10001"
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert container["stopTimeout"] == 120
    assert container["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "/ecs/ashore-dev",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "run",
        },
    }
    assert container["secrets"] == [{"name": "REST_COUNTRIES_API_KEY", "valueFrom": REST_COUNTRIES}]
    assert definition["taskRoleArn"].endswith(":role/ashore-dev-task")
    assert definition["executionRoleArn"].endswith(":role/ashore-dev-execution")


def test_nobody_reaches_the_task_and_it_reaches_https_alone(everything: Applied) -> None:
    network = target(everything, "ashore-dev-daily")["EcsParameters"]["NetworkConfiguration"]
    ec2 = everything.client("ec2")
    groups = network["awsvpcConfiguration"]["SecurityGroups"]
    (group,) = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
    assert group["IpPermissions"] == []
    (out,) = group["IpPermissionsEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    gateways = [each for each in endpoints if each["VpcId"] == group["VpcId"]]
    assert [(each["ServiceName"], each["VpcEndpointType"]) for each in gateways] == [
        (f"com.amazonaws.{REGION}.s3", "Gateway")
    ]


def test_what_lands_is_kept_private_encrypted_and_in_versions(everything: Applied) -> None:
    s3, bucket = everything.client("s3"), everything.outputs["location"].removeprefix("s3://")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["ID"] for rule in lifecycle} == {"old-versions", "cheaper", "smoke"}
    expiring = [rule["ID"] for rule in lifecycle if "Expiration" in rule]
    assert expiring == ["smoke"]  # what landed never goes by itself


def test_every_silence_has_an_alarm_and_all_go_to_one_topic(everything: Applied) -> None:
    cloudwatch = everything.client("cloudwatch")
    alarms = {each["AlarmName"]: each for each in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {
        "ashore-dev-daily-failed-invocations",
        "ashore-dev-catch-up-failed-invocations",
        "ashore-dev-dead-letters",
        "ashore-dev-no-complete-day-world_bank",
    }
    assert {tuple(each["AlarmActions"]) for each in alarms.values()} == {(TOPIC,)}
    day = alarms["ashore-dev-no-complete-day-world_bank"]
    assert (day["MetricName"], day["Namespace"]) == ("DayComplete", "ashore/ashore-dev")
    assert day["Dimensions"] == [{"Name": "Source", "Value": "world_bank"}]
    assert day["Period"] * day["EvaluationPeriods"] == 26 * 3600
    assert (day["TreatMissingData"], day["Threshold"]) == ("breaching", 1.0)


def test_a_task_that_ends_badly_or_never_starts_is_told_at_once(everything: Applied) -> None:
    events = everything.client("events")
    patterns = {}
    for name in ("failed", "not-started"):
        (found,) = events.list_targets_by_rule(Rule=f"ashore-dev-{name}")["Targets"]
        assert found["Arn"] == TOPIC
        told = found["InputTransformer"]
        used = set(re.findall(r"<(\w+)>", told["InputTemplate"]))
        assert used == set(told["InputPathsMap"])
        # JSON once EventBridge put values in, each with the quotes that it needs.
        assert (
            "docs/operations.md" in json.loads(re.sub(r"<\w+>", "0", told["InputTemplate"]))["see"]
        )
        rule = events.describe_rule(Name=f"ashore-dev-{name}")
        assert rule["State"] == "ENABLED"
        patterns[name] = json.loads(rule["EventPattern"])["detail"]
    assert patterns["failed"]["containers"] == {"exitCode": [{"anything-but": [0]}]}
    assert patterns["not-started"]["stopCode"] == ["TaskFailedToStart"]
    for pattern in patterns.values():
        assert pattern["clusterArn"] == [f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/ashore-dev"]
        assert pattern["lastStatus"] == ["STOPPED"]


def test_whoever_deploys_is_one_repository_and_nobody_else(everything: Applied) -> None:
    iam = everything.client("iam")
    subjects = {}
    for purpose in ("plan", "deploy"):
        role = iam.get_role(RoleName=f"ashore-github-{purpose}")["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        conditions = statement["Condition"]["StringEquals"]
        assert conditions["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        subjects[purpose] = conditions["token.actions.githubusercontent.com:sub"]
    assert subjects == {
        "plan": ["repo:example/ashore:pull_request"],
        "deploy": ["repo:example/ashore:environment:dev"],
    }


@pytest.mark.parametrize("role", ["task", "execution", "schedule"])
def test_no_role_of_an_environment_exceeds_the_boundary(everything: Applied, role: str) -> None:
    found = everything.client("iam").get_role(RoleName=f"ashore-dev-{role}")["Role"]
    boundary = found["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary == f"arn:aws:iam::{ACCOUNT}:policy/ashore-boundary"


def test_an_image_is_kept_as_it_was_pushed_and_looked_through(everything: Applied) -> None:
    (found,) = everything.client("ecr").describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


def target(everything: Applied, rule: str) -> dict[str, Any]:
    (found,) = everything.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    return dict(found)


def definition_of(everything: Applied, found: dict[str, Any]) -> dict[str, Any]:
    arn = found["EcsParameters"]["TaskDefinitionArn"]
    definition = everything.client("ecs").describe_task_definition(taskDefinition=arn)
    return dict(definition["taskDefinition"])
