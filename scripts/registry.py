"""Ask the registry that an environment's images lie in; scripts/image.sh does.

`repository` is where they go to, `digest` that of a commit's image, or an empty line, and
`password` is what the user AWS logs in with, for 12 hours.

    python scripts/registry.py digest dev COMMIT
"""

from __future__ import annotations

import base64
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from account import command_line, enter, run
from environments import Account, RefusedError, read_environment

if TYPE_CHECKING:
    import boto3


def main(argv: Sequence[str] | None = None) -> int:
    """Print what is asked for."""
    parser = command_line(__doc__)
    parser.add_argument("what", choices=("repository", "digest", "password"))
    parser.add_argument("environment", help="a folder of terraform/environments, such as dev")
    parser.add_argument("tag", nargs="?", help="digest: of which image; its tag is its commit")
    options = parser.parse_args(argv)
    if (options.what == "digest") != bool(options.tag):
        parser.error("digest needs a tag, and nothing else does")
    environment = read_environment(options.environment)
    host, _, name = environment.image_repository_url.partition("/")
    # The registry may be another account's than the environment: the one that was bootstrapped.
    account = Account(account_id=host.split(".")[0], region=host.split(".")[3])
    session = enter(dataclasses.replace(environment, account=account), options.profile)
    if options.what == "repository":
        print(environment.image_repository_url)
    elif options.what == "digest":
        print(digest(session, account, name, options.tag))
    else:
        print(password(session))
    return 0


def digest(session: boto3.Session, account: Account, name: str, tag: str) -> str:
    """Return the digest that a tag stands for; nothing if there is no such image.

    Raises:
        RefusedError: there is no such repository.
    """
    ecr = session.client("ecr")
    try:
        found = ecr.describe_images(
            registryId=account.account_id, repositoryName=name, imageIds=[{"imageTag": tag}]
        )
    except ecr.exceptions.ImageNotFoundException:
        return ""
    except ecr.exceptions.RepositoryNotFoundException:
        raise RefusedError(f'there is no repository "{name}" yet: make bootstrap') from None
    return found["imageDetails"][0]["imageDigest"]


def password(session: boto3.Session) -> str:
    """Return the password of the user AWS."""
    (found,) = session.client("ecr").get_authorization_token()["authorizationData"]
    _user, _, secret = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    return secret


if __name__ == "__main__":
    sys.exit(run(main))
