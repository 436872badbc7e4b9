"""The command ``ashore``, and ``python -m ashore``: hears signals before all else is loaded."""

import gc
import os

from ashore.signals import hear_while_loading

_YOUNG = 50_000
"""Objects made until Python looks which of them are garbage that refers to itself.

With its own 700 it looks through an answer of a mebibyte dozens of times while it is parsed, which
took a third of that time; a request leaves about five such objects.
"""


def run() -> None:
    """Run the command, and end the process with its status."""
    # No plugin of what else is installed has a say in catalogs; to look for some takes a while.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(_YOUNG)
    with hear_while_loading():
        from ashore import cli  # noqa: PLC0415 - a signal may come while it is loaded
    cli.run()


if __name__ == "__main__":
    run()
