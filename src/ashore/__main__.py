"""The command ``ashore``, and ``python -m ashore``: hears signals before all else is loaded."""

from ashore.signals import hear_while_loading


def run() -> None:
    """Run the command, and end the process with its status."""
    with hear_while_loading():
        from ashore import cli  # noqa: PLC0415 - a signal may come while it is loaded
    cli.run()


if __name__ == "__main__":
    run()
