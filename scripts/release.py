"""Release an image to an environment: try it out there first, and only then point its task at it.

    make deploy ENV=dev DIGEST=sha256:...

The image lands a day under smoke/<digest>/ of the environment's bucket, in a task of its own that
is otherwise the scheduled one. Only when it ends with 0 does the environment's parameter get the
digest, and Terraform points the rules at it. Whatever fails, the rules keep the task they had.
To go back, release the digest of before.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import infra
import tasks
from account import AWS_ERRORS, command_line, enter, run, told
from environments import Environment, FailedError, RefusedError, read_environment

if TYPE_CHECKING:
    import boto3

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAMESPACE = "ashore/smoke"
"""Its figures stay out of those that the alarms watch."""
DEADLINE = "30m"
LONGEST_SECONDS = 2400.0
"""How long a trial is followed: longer than its own deadline, so that it ends by itself."""
COPIED = (
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "volumes",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "ephemeralStorage",
)
"""What the definition that tries an image out has in common with the scheduled one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Release it, and return 0 when the rules start it from now on."""
    parser = command_line(__doc__)
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument("digest", help="the image's digest, as docker-push told it: sha256:...")
    options = parser.parse_args(argv)
    if not DIGEST.fullmatch(options.digest):
        raise RefusedError(f'"{options.digest}" is no digest; DIGEST=sha256: and 64 hex digits')
    environment = read_environment(options.environment)
    infra.find_terraform()
    session = enter(environment, options.profile)
    require_image(session, environment.image_repository_url, options.digest)
    before = tasks.released(session, environment)
    status = try_out(session, environment, options.digest)
    if status:
        raise FailedError(
            f"the task that tried it out ended with exit status {status}: nothing was released, "
            f"and {environment.name} keeps {before}"
        )
    with recorded(session, environment, options.digest, before):
        if infra.apply(environment, session):
            raise FailedError("terraform apply failed; the reason stands above")
    print(f"Released {options.digest} to {environment.name}; before: {before}")
    return 0


def require_image(session: boto3.Session, repository_url: str, digest: str) -> None:
    """Return if there is such an image.

    Raises:
        RefusedError: there is none.
    """
    registry, _, name = repository_url.partition("/")
    account_id, _, _, region, *_ = registry.split(".")
    ecr = session.client("ecr", region_name=region)
    try:
        # Not DescribeImages: another account may be let pull images, and no more.
        found = ecr.batch_get_image(
            registryId=account_id, repositoryName=name, imageIds=[{"imageDigest": digest}]
        )
    except ecr.exceptions.RepositoryNotFoundException:
        raise RefusedError(
            f"there is no repository {repository_url}; make bootstrap makes it"
        ) from None
    if not found["images"]:
        raise RefusedError(f"there is no image {repository_url}@{digest}; make docker-push first")


def try_out(session: boto3.Session, environment: Environment, digest: str) -> int:
    """Run an image as the scheduled task, landing apart, and return its exit status."""
    task = tasks.scheduled(session, environment)
    variables = {
        "ASHORE_TO": f"{task.location}/smoke/{digest.replace(':', '-')}",
        "ASHORE_METRICS_NAMESPACE": NAMESPACE,
        "ASHORE_DEADLINE": DEADLINE,
    }
    image = f"{environment.image_repository_url}@{digest}"
    with revision(session, f"{environment.prefix}-smoke", task, image) as arn:
        started = tasks.start(session, task, variables, "release", arn)
        try:
            return tasks.follow(session, started, LONGEST_SECONDS)
        except BaseException:
            tasks.stop(session, started, "the release was given up")
            raise


@contextlib.contextmanager
def revision(session: boto3.Session, family: str, task: tasks.Task, image: str) -> Iterator[str]:
    """Keep a definition of the scheduled task with another image, as long as it is needed."""
    ecs = session.client("ecs")
    common: Any = {key: task.definition[key] for key in COPIED if task.definition.get(key)}
    container: Any = {**task.container, "image": image}
    made = ecs.register_task_definition(family=family, containerDefinitions=[container], **common)
    arn = made["taskDefinition"]["taskDefinitionArn"]
    try:
        yield arn
    finally:
        try:
            ecs.deregister_task_definition(taskDefinition=arn)
        except AWS_ERRORS as error:
            print(f"release: {arn} is left, unused: {told(error)}", file=sys.stderr)


@contextlib.contextmanager
def recorded(
    session: boto3.Session, environment: Environment, digest: str, before: str
) -> Iterator[None]:
    """Write down what is released; if it comes to nothing, write down again what was.

    Raises:
        FailedError: it came to nothing.
    """
    put(session, environment, digest)
    try:
        yield
    except BaseException as error:
        put(session, environment, before)
        if isinstance(error, RefusedError):
            raise FailedError(
                f"{error}; {environment.name} is back at {before}, and "
                f"make tf-apply ENV={environment.name} makes all of it so"
            ) from error
        raise


def put(session: boto3.Session, environment: Environment, digest: str) -> None:
    """Write a digest into the environment's parameter."""
    session.client("ssm").put_parameter(
        Name=tasks.parameter(environment), Value=digest, Type="String", Overwrite=True
    )


if __name__ == "__main__":
    sys.exit(run(main))
