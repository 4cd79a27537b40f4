"""What is known to have happened to particles, after corrections by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Event = dict[str, Any]
"""What happened to a particle: `time`, `event`, `label` and the `other` particle."""

_COMES, _GOES = ("appeared", "returned", "split"), ("lost", "merged")


def renumbered(
    events: Iterable[Event], time: int, one: int, other: int, onward: bool
) -> list[Event]:
    """Return events after two numbers changed places.

    Parameters
    ----------
    events : iterable of dict
    time : int
        The first time with the new numbers, or the only one.
    one, other : int
    onward : bool
        Whether later times have the new numbers too.

    Returns
    -------
    list of dict
        A particle that goes and comes at one time with the same number now did neither.
    """
    swap = {one: other, other: one}

    def at(number: int, when: int) -> int:
        new = when == time or (onward and when > time)
        return swap.get(number, number) if new else number

    found = []
    for event in events:
        now = event["time"]
        # what goes had its number before; what splits came from a number of before
        before = now - 1
        goes = event["event"] in _GOES
        found.append(
            {
                **event,
                "label": at(event["label"], before if goes else now),
                "other": at(event["other"], now if goes else before),
            }
        )
    return _without_same(found)


def _without_same(events: Sequence[Event]) -> list[Event]:
    def places(kinds: Sequence[str]) -> set[tuple[int, int]]:
        return {(e["time"], e["label"]) for e in events if e["event"] in kinds}

    same = places(_COMES) & places(_GOES)
    return [e for e in events if (e["time"], e["label"]) not in same]


def removed(events: Iterable[Event], time: int, label: int, into: int = 0) -> list[Event]:
    """Return events after a particle was removed at one time.

    Parameters
    ----------
    events : iterable of dict
    time : int
    label : int
        The number that is not there any more.
    into : int
        The particle it became part of; 0 if it became background.

    Returns
    -------
    list of dict
        Without its coming at that time and its going after it; what had merged into it is in the
        other particle, or lost.
    """
    found = []
    for event in events:
        when = event["time"] - (event["event"] in _GOES)
        if when == time and event["label"] == label:
            continue
        if event["time"] == time and event["event"] == "merged" and event["other"] == label:
            event = {**event, "event": "merged" if into else "lost", "other": into}
        found.append(event)
    return found
