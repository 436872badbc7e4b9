"""The environment dev in a local AWS, made by hand, for the scripts to act on; and what stands in.

Terraform is a program that writes down what it is told. Fargate, which the local AWS lacks, is a
server in front of it that lets tasks run and end.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import account
import environments
import logs
import tasks
from tests.support.local_aws import ACCOUNT, REGION, LocalAws

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[3]
BUCKET = f"ashore-dev-landing-{ACCOUNT}"
GROUP = "/ecs/ashore-dev"
PARAMETER = "/ashore-dev/image-digest"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ashore"
VALUES = {"account_id": ACCOUNT, "region": REGION, "image_repository_url": REPOSITORY}
BEFORE = "sha256:" + "a" * 64
FAKE_TERRAFORM = """#!/bin/sh
{ pwd; for word; do printf '%s\\n' "$word"; done; env | grep '^AWS_'; echo; } >>"$0.told"
[ "$1" != output ] || cat "$0.outputs"
[ "$1" != plan ] || cat "$0.plan"
[ ! -e "$0.fails-at-$1" ]
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What Terraform was told to do."""

    folder: Path
    words: tuple[str, ...]
    variables: dict[str, str]


class FakeTerraform:
    """A program called terraform that writes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "terraform"
        self._program.write_text(FAKE_TERRAFORM)
        self._program.chmod(0o755)
        self.plans("No changes. Your infrastructure matches the configuration.\n")
        outputs = {
            "image_repository_url": {"value": REPOSITORY},
            "permissions_boundary_arn": {"value": f"arn:aws:iam::{ACCOUNT}:policy/boundary"},
        }
        self._beside("outputs").write_text(json.dumps(outputs))

    def plans(self, text: str) -> None:
        """Let it say this when it is asked for a plan."""
        self._beside("plan").write_text(text)

    def fails_at(self, command: str) -> None:
        """Let it fail at a command."""
        self._beside(f"fails-at-{command}").touch()

    @property
    def told(self) -> list[Told]:
        """What it was told, in order."""
        file = self._beside("told")
        return (
            [_told(text) for text in file.read_text().split("\n\n")[:-1]] if file.exists() else []
        )

    @property
    def commands(self) -> list[str]:
        """The first word of each."""
        return [each.words[0] for each in self.told]

    def _beside(self, suffix: str) -> Path:
        return self._program.with_name(f"terraform.{suffix}")


def _told(text: str) -> Told:
    folder, *lines = text.splitlines()
    variables = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
    return Told(Path(folder), tuple(w for w in lines if not w.startswith("AWS_")), variables)


def checkout(folder: Path) -> Path:
    """Make what the scripts see of a checkout: its environments, of which dev is filled in."""
    for name in ("bootstrap", "environments/dev", "environments/prod"):
        (folder / "terraform" / name).mkdir(parents=True)
        (folder / "terraform" / name / "main.tf").touch()
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    fill_in(folder, "environments/dev", VALUES)
    fill_in(folder, "bootstrap", VALUES)
    return folder


def fill_in(checkout: Path, name: str, values: object) -> None:
    """Write a terraform.tfvars.json."""
    file = checkout / "terraform" / name / "terraform.tfvars.json"
    file.write_text(values if isinstance(values, str) else json.dumps(values))


def make_environment(aws: LocalAws, digest: str = BEFORE) -> None:
    """Make what the scripts look at of dev, as the module of Terraform makes it."""
    aws.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    aws.client("ssm").put_parameter(Name=PARAMETER, Value=digest, Type="String")
    aws.client("logs").create_log_group(logGroupName=GROUP)
    ec2, ecs, events = aws.client("ec2"), aws.client("ecs"), aws.client("events")
    network = {
        "Subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
        "SecurityGroups": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
        "AssignPublicIp": "ENABLED",
    }
    cluster = ecs.create_cluster(clusterName="ashore-dev")["cluster"]["clusterArn"]
    definition = ecs.register_task_definition(**_definition(digest))["taskDefinition"]
    target = {
        "Id": "task",
        "Arn": cluster,
        "RoleArn": _role("schedule"),
        "EcsParameters": {
            "TaskDefinitionArn": definition["taskDefinitionArn"],
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": network},
        },
    }
    events.put_rule(Name="ashore-dev-daily", ScheduleExpression="cron(0 1 * * ? *)")
    events.put_targets(Rule="ashore-dev-daily", Targets=[target])


def _definition(digest: str) -> dict[str, Any]:
    log = {
        "awslogs-group": GROUP,
        "awslogs-region": REGION,
        "awslogs-stream-prefix": "run",
    }
    container = {
        "name": "ashore",
        "image": f"{REPOSITORY}@{digest}",
        "memory": 512,
        "command": ["extract", "world_bank"],
        "user": "10001:10001",
        "environment": [{"name": "ASHORE_TO", "value": f"s3://{BUCKET}"}],
        "readonlyRootFilesystem": True,
        "stopTimeout": 120,
        "logConfiguration": {"logDriver": "awslogs", "options": log},
    }
    return {
        "family": "ashore-dev",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": _role("task"),
        "executionRoleArn": _role("execution"),
        "volumes": [{"name": "temporary"}],
        "containerDefinitions": [container],
    }


def _role(purpose: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/ashore-dev-{purpose}"


def push_image(aws: LocalAws) -> str:
    """Make the repository and put an image there; return its digest."""
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="ashore")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config = {"mediaType": "application/json", "size": 1, "digest": BEFORE}
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}
    pushed = ecr.put_image(
        repositoryName="ashore", imageManifest=json.dumps(manifest), imageTag="1"
    )
    return str(pushed["image"]["imageId"]["imageDigest"])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """What is asked for: a method and a path, of services that speak REST."""
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        found = re.match(rb"Action=(\w+)", self.body)
        return target or (found[1].decode() if found else f"{self.method} {self.path}")

    def sent_to(self, endpoint: str) -> Reply:
        """Ask it there, and return the answer."""
        connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=30)
        try:
            connection.request(self.method, self.path, self.body, self.headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        finally:
            connection.close()


@dataclass(slots=True)
class Ending:
    """How a task ends."""

    status: int | None = 0
    """Its exit status; None: it never ran."""
    reason: str = "Essential container in task exited"
    lines: Sequence[str] = ('{"event": "run_ended"}',)


@dataclass(slots=True)
class Script:
    """What Fargate does with the tasks, and what it was asked."""

    endings: list[Ending] = field(default_factory=lambda: [Ending()])
    """One for each task, in order; the last again and again."""
    endless: bool = False
    """Whether tasks never end."""
    throttled: int = 0
    """How many of the next questions about tasks are refused, since there were too many."""
    refused: dict[str, Reply] = field(default_factory=dict)
    """What is answered to some operations, whoever asks."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    stops: int = 0


class Fargate:
    """A server in front of the local AWS: a task runs when first looked at, and then has ended."""

    def __init__(self, aws: LocalAws) -> None:
        self.script = Script()
        self.behind = aws.endpoint
        self._aws = aws
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """The variables that point a script at it."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {**self._aws.environment(), "AWS_ENDPOINT_URL": address}

    def answer(self, asked: Asked, forward: Callable[[], Reply]) -> Reply:
        """Return the answer to what is Fargate's to say, and let the local AWS say the rest."""
        script, operation = self.script, asked.operation
        if operation in script.refused:
            return script.refused[operation]
        if operation == "DescribeTasks" and script.throttled:
            script.throttled -= 1
            return refusal("ThrottlingException", "Rate exceeded")
        if operation == "RunTask":
            script.runs.append(json.loads(asked.body))
            script.looks = 0
        if operation == "StopTask":
            script.stops += 1
        reply = forward()
        return self._described(reply) if operation == "DescribeTasks" else reply

    def _described(self, reply: Reply) -> Reply:
        described = json.loads(reply.body)
        ending = self.script.endings[min(len(self.script.runs), len(self.script.endings)) - 1]
        self.script.looks += 1
        for task in described["tasks"]:
            task["lastStatus"] = "RUNNING"
            if self.script.looks == 1:
                self._write(task["taskArn"].rpartition("/")[2], ending.lines)
            elif not self.script.endless:
                _end(task, ending)
        return replace(reply, body=json.dumps(described).encode())

    def _write(self, number: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        client, stream = self._aws.client("logs"), f"run/ashore/{number}"
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def _end(task: dict[str, Any], ending: Ending) -> None:
    task.update(lastStatus="STOPPED", stoppedReason=ending.reason)
    (container,) = task["containers"]
    container.pop("exitCode", None)
    if ending.status is not None:
        container["exitCode"] = ending.status


def refusal(kind: str, message: str) -> Reply:
    """What services that speak JSON answer to what they do not do."""
    body = json.dumps({"__type": kind, "message": message}).encode()
    return Reply(400, "application/x-amz-json-1.1", body)


def query_refusal(code: str, message: str) -> Reply:
    """What the older services answer, which speak XML."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(403, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode())


def _handler(fargate: Fargate) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, dict(self.headers), body)
            reply = fargate.answer(asked, lambda: asked.sent_to(fargate.behind))
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_any

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def on_path(folder: Path) -> str:
    """A PATH that begins with a folder."""
    return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


@dataclass(frozen=True, slots=True)
class Done:
    """What a script left."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Stage:
    """All that scripts act on."""

    aws: LocalAws
    folder: Path
    terraform: FakeTerraform
    fargate: Script
    capture: pytest.CaptureFixture[str]

    def act(self, script: ModuleType, *words: str) -> Done:
        """Run a script's main function as the script itself does."""
        self.capture.readouterr()
        try:
            status = account.run(lambda _: script.main(["--profile", "", *words]))
        except SystemExit as ended:  # of argparse
            status = int(ended.code or 0)
        out, err = self.capture.readouterr()
        assert "Traceback" not in err
        return Done(status, out, err)

    def digest(self) -> str:
        """What the parameter says was released."""
        ssm = self.aws.client("ssm")
        return str(ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"])

    def rule(self) -> Any:
        """What the daily rule starts."""
        events = self.aws.client("events")
        return events.list_targets_by_rule(Rule="ashore-dev-daily")["Targets"]

    def active(self, family: str) -> list[str]:
        """The revisions of a family that are not retired."""
        ecs = self.aws.client("ecs")
        return list(ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"])


@contextlib.contextmanager
def stage(
    aws: LocalAws, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    """Set up all that scripts act on, in a local AWS that knows nothing else."""
    aws.reset()
    programs = folder / "bin"
    programs.mkdir()
    patch.setenv("PATH", on_path(programs))
    patch.setattr(environments, "TERRAFORM", checkout(folder / "checkout") / "terraform")
    patch.setattr(tasks, "LOOK_SECONDS", 0.01)
    patch.setattr(tasks, "LATE_SECONDS", 0.05)
    patch.setattr(logs, "LOOK_SECONDS", 0.01)
    heard = signal.getsignal(signal.SIGTERM)
    with Fargate(aws) as fargate:
        for name, value in fargate.environment().items():
            patch.setenv(name, value)
        yield Stage(aws, folder / "checkout", FakeTerraform(programs), fargate.script, capture)
    signal.signal(signal.SIGTERM, heard)
