"""Percentiles, medians, the steady part of a run, ratios: numbers in, numbers out."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

STEADY_CUT: Final = 0.10
"""Share of the ends left out at either side: the ramp while processes wake, and the tail while they run dry."""


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of them lie: the one at place ⌊share · n⌋, as the bare loop takes it.

    Raises: ValueError for no values, or if they are not sorted at the ends.
    """
    if not sorted_values:
        raise ValueError("no values: there is no percentile of nothing")
    if sorted_values[0] > sorted_values[-1]:
        raise ValueError("percentile wants sorted values")
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def rate_of_all(started_s: float, ends_s: Sequence[float]) -> float:
    """Ends per second from the first publication to the last end: what the bare loop calls its rate."""
    return len(ends_s) / (max(ends_s) - started_s)


def steady_rate(ends_s: Sequence[float], cut: float = STEADY_CUT) -> float | None:
    """Ends per second between the end at `cut` and the one at 1 − `cut`; None if all of them fall into one moment."""
    ordered = sorted(ends_s)
    first, last = int(cut * len(ordered)), int((1 - cut) * len(ordered)) - 1
    if last <= first or ordered[last] <= ordered[first]:
        return None
    return (last - first) / (ordered[last] - ordered[first])


def latency_ms(sent_s: Mapping[str, float], ended_s: Mapping[str, float]) -> dict[str, float]:
    """p50, p90, p99 and the largest time from sent to ended, in milliseconds. Raises: KeyError if one never ended."""
    taken = sorted((ended_s[key] - at) * 1000 for key, at in sent_s.items())
    found = {f"p{round(share * 100)}": percentile(taken, share) for share in (0.5, 0.9, 0.99)}
    return {name: round(value, 2) for name, value in (found | {"max": taken[-1]}).items()}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each number over the rounds that have it, rounded as its rounds are (3 places at most)."""
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: round(median(one[name] for one in rounds if name in one), 3) for name in names}


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours by theirs; None where one is missing or nothing."""
    if ours is None or not theirs:
        return None
    return round(ours / theirs, 3)


def spread(values: Sequence[float]) -> float:
    """(largest − smallest) / median: how far rounds disagree. 0 for one round."""
    return round((max(values) - min(values)) / median(values), 3) if values else 0.0
