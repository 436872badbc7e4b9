"""A source that speaks TLS, with a certificate made on the spot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.chaos.matrix import CannotBeMadeError
from tests.chaos.world import World
from tests.support.api import ScriptedApi
from tests.support.certificates import Identity, NoOpensslError, identity


@contextlib.contextmanager
def secured(
    world: World, names: str = "IP:127.0.0.1", *, trusted: bool = True
) -> Iterator[Identity]:
    """Let the source speak TLS, with a certificate for these names, while the block lasts."""
    try:
        made = identity(world.folder, names)
    except NoOpensslError as error:
        raise CannotBeMadeError(str(error)) from error
    with ScriptedApi(tls=made.context) as world.api:
        if trusted:
            trust(world, made)
        world.declare()
        world.serve()
        yield made


def trust(world: World, made: Identity) -> None:
    """Let the program trust a certificate, and no other."""
    world.environment["REQUESTS_CA_BUNDLE"] = str(made.certificate)
