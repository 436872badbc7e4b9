"""Start the task of an environment as its rule does, and follow its log to its exit status.

Shared by run_once.py, backfill.py and release.py. What the rule starts is asked of the rule itself,
so that nothing is said in two places.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from account import AWS_ERRORS, told
from environments import Environment, FailedError, RefusedError
from reading import readable

if TYPE_CHECKING:
    import boto3

LOOK_SECONDS = 5.0
LONGEST_SECONDS = 7200.0
"""How long a task is followed. Its own deadline, 50 minutes unless changed, ends it long before."""
LATE_SECONDS = 15.0
"""How long after a task's end its last lines are waited for."""
UNRELEASED = "none"


@dataclass(frozen=True, slots=True)
class Task:
    """What the daily rule starts, and where."""

    cluster: str
    definition: Mapping[str, Any]
    network: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """The revision of the definition."""
        return str(self.definition["taskDefinitionArn"])

    @property
    def container(self) -> Mapping[str, Any]:
        """The one container."""
        return dict(self.definition["containerDefinitions"][0])

    @property
    def location(self) -> str:
        """Where it lands: `s3://BUCKET`."""
        variables = {each["name"]: each["value"] for each in self.container["environment"]}
        return str(variables["ASHORE_TO"])


@dataclass(frozen=True, slots=True)
class Started:
    """A task that was started, and where its log is."""

    arn: str
    cluster: str
    group: str
    stream: str

    @property
    def number(self) -> str:
        """What the console and the log call it."""
        return self.arn.rpartition("/")[2]


def scheduled(session: boto3.Session, environment: Environment) -> Task:
    """Return what the daily rule of an environment starts.

    Raises:
        RefusedError: the environment is not there.
    """
    events, ecs = session.client("events"), session.client("ecs")
    rule = f"{environment.prefix}-daily"
    try:
        (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    except (events.exceptions.ResourceNotFoundException, ValueError):
        raise RefusedError(
            f"there is no rule {rule} in {environment.account.region}; "
            f"make tf-apply ENV={environment.name} makes it"
        ) from None
    parameters = target["EcsParameters"]
    definition = ecs.describe_task_definition(taskDefinition=parameters["TaskDefinitionArn"])
    network = parameters["NetworkConfiguration"]["awsvpcConfiguration"]
    return Task(
        target["Arn"],
        dict(definition["taskDefinition"]),
        {
            "subnets": network["Subnets"],
            "securityGroups": network.get("SecurityGroups", []),
            "assignPublicIp": network.get("AssignPublicIp", "DISABLED"),
        },
    )


def released(session: boto3.Session, environment: Environment) -> str:
    """Return the digest of the image that was released last; `none` before the first release.

    Raises:
        RefusedError: the environment is not there.
    """
    ssm = session.client("ssm")
    try:
        return ssm.get_parameter(Name=parameter(environment))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        raise RefusedError(
            f"there is no parameter {parameter(environment)} in {environment.account.region}; "
            f"make tf-apply ENV={environment.name} makes it"
        ) from None


def parameter(environment: Environment) -> str:
    """Return the name of the parameter that holds the released digest."""
    return f"/{environment.prefix}/image-digest"


def require_release(session: boto3.Session, environment: Environment) -> None:
    """Return if there is an image to run.

    Raises:
        RefusedError: none was released yet.
    """
    if released(session, environment) == UNRELEASED:
        raise RefusedError(
            f"nothing was released to {environment.name} yet; "
            f"make deploy ENV={environment.name} DIGEST=sha256:... does it"
        )


def start(
    session: boto3.Session, task: Task, variables: Mapping[str, str], by: str, revision: str = ""
) -> Started:
    """Start a task with some variables more, or with others than its definition says.

    Raises:
        FailedError: ECS did not start it.
    """
    container = task.container
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    request: Any = {
        "cluster": task.cluster,
        "taskDefinition": revision or task.arn,
        "launchType": "FARGATE",
        "count": 1,
        "startedBy": by,
        "networkConfiguration": {"awsvpcConfiguration": task.network},
        "overrides": {
            "containerOverrides": [{"name": container["name"], "environment": environment}]
        },
    }
    answer = session.client("ecs").run_task(**request)
    if not answer["tasks"]:
        reasons = {str(each.get("reason")) for each in answer["failures"]} or {"no reason given"}
        raise FailedError(f"ECS did not start the task: {', '.join(sorted(reasons))}")
    arn = answer["tasks"][0]["taskArn"]
    options = container["logConfiguration"]["options"]
    stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{arn.rpartition('/')[2]}"
    started = Started(arn, task.cluster, options["awslogs-group"], stream)
    print(f"Started task {started.number}; its log: {started.group} {stream}", flush=True)
    return started


def follow(session: boto3.Session, started: Started, seconds: float = LONGEST_SECONDS) -> int:
    """Print a task's log until it stops, and return its exit status.

    Raises:
        FailedError: it never ran, or is still running after all this time, or was lost sight of.
    """
    lines = Lines(session, started)
    deadline = time.monotonic() + seconds
    try:
        while (ended := stopped(session, started)) is None:
            lines.show()
            if time.monotonic() > deadline:
                raise FailedError(f"task {started.number} goes on, after {seconds / 60:.0f} min")
            time.sleep(LOOK_SECONDS)
        if ran(ended):
            lines.show_the_last()
    except AWS_ERRORS as error:
        raise FailedError(
            f"lost sight of task {started.number}, which goes on: {told(error)}"
        ) from error
    return verdict(started, ended)


def stopped(session: boto3.Session, started: Started) -> Mapping[str, Any] | None:
    """Return a task as ECS describes it, once it stopped."""
    ecs = session.client("ecs")
    found = ecs.describe_tasks(cluster=started.cluster, tasks=[started.arn])["tasks"]
    # For a moment after its start ECS may not know a task yet.
    return dict(found[0]) if found and found[0]["lastStatus"] == "STOPPED" else None


def ran(ended: Mapping[str, Any]) -> bool:
    """Tell whether the program of a task began at all."""
    return "exitCode" in ended["containers"][0]


def verdict(started: Started, ended: Mapping[str, Any]) -> int:
    """Return the exit status of a task that stopped, and tell it.

    Raises:
        FailedError: its program never ran.
    """
    container = ended["containers"][0]
    said = [ended.get("stoppedReason"), container.get("reason")]
    reason = "; ".join(str(each) for each in said if each) or "no reason given"
    if not ran(ended):
        raise FailedError(f"task {started.number} never ran: {reason}")
    print(f"Task {started.number} ended with exit status {container['exitCode']} ({reason})")
    return int(container["exitCode"])


def stop(session: boto3.Session, started: Started, reason: str) -> None:
    """Ask a task to end; harmless where it did already."""
    with contextlib.suppress(*AWS_ERRORS):
        session.client("ecs").stop_task(cluster=started.cluster, task=started.arn, reason=reason)


class Lines:
    """The log of one task, as far as it was shown."""

    def __init__(self, session: boto3.Session, started: Started) -> None:
        self._logs = session.client("logs")
        self._started = started
        self._token = ""

    def show(self) -> int:
        """Print what came since, and return how many lines that were."""
        count = 0
        for message in self._new():
            print(readable(message), flush=True)
            count += 1
        return count

    def show_the_last(self) -> None:
        """Print what is still on its way after the end: CloudWatch takes some seconds."""
        quiet_since = time.monotonic()
        deadline = quiet_since + 4 * LATE_SECONDS
        while time.monotonic() < min(quiet_since + LATE_SECONDS, deadline):
            if self.show():
                quiet_since = time.monotonic()
            time.sleep(LOOK_SECONDS)

    def _new(self) -> Iterator[str]:
        while True:
            given: Any = {"nextToken": self._token} if self._token else {}
            try:
                page = self._logs.get_log_events(
                    logGroupName=self._started.group,
                    logStreamName=self._started.stream,
                    startFromHead=True,
                    **given,
                )
            except self._logs.exceptions.ResourceNotFoundException:
                return  # nothing was written yet
            yield from (event["message"] for event in page["events"])
            # The end is where the token stays as it was.
            # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
            if page["nextForwardToken"] == self._token:
                return
            self._token = page["nextForwardToken"]
