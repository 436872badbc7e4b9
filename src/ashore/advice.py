"""What a run that did not complete its day means for whoever is woken by it. Pure."""

from ashore.errors import ExitStatus

_GOES_ON = "it asks only for what has not landed"
_NEXT = {
    ExitStatus.UNEXPECTED: f"report it with this log; then run the same command again: {_GOES_ON}",
    ExitStatus.MISCONFIGURED: "mend what is named, and run the same command again",
    ExitStatus.INCOMPLETE: (
        "run the same command again, if a time is named after that time: "
        f"{_GOES_ON}; if it ends like this again, look at the source"
    ),
    ExitStatus.VIOLATED: (
        "look at what is named: if the source was wrong for a while, run the same command again; "
        "else mend the catalog, accept the check, or, while no other run of the day is under way, "
        "move the object away as shown, and run it again"
    ),
    ExitStatus.LOCATION: f"mend the location, then run the same command again: {_GOES_ON}",
    ExitStatus.INTERRUPTED: f"run the same command again: {_GOES_ON}",
    ExitStatus.TERMINATED: f"run the same command again: {_GOES_ON}",
}


def what_is_safe(objects: int | None) -> str:
    """Say what a failed run leaves behind; ``objects`` it confirmed, None if it never began."""
    if objects is None:
        return "nothing was requested, and nothing that landed before was changed"
    confirmed = f"{objects} object{'' if objects == 1 else 's'} confirmed by this run"
    return f"what landed stays as it is ({confirmed}); without a manifest the day is not complete"


def what_to_do(status: ExitStatus) -> str:
    """Say what to do next; nothing where the day is complete."""
    return _NEXT.get(status, "")
