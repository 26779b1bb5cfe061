"""A result as one SVG: bars for rates, latencies, CPU and bytes. Drawn here: four kinds of bars need no plotting library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from benchmarks.report import PROCESSES, bare_cpu_us, shown

WIDTH: Final = 860
LABEL: Final = 190
BAR: Final = 18
GAP: Final = 6
PANEL_GAP: Final = 34
COLOURS: Final = ("#2f6f9f", "#e08e45", "#5a9e6f", "#b0567a", "#7a6ab0", "#8c8c8c", "#c2b14c", "#4aa3a2")


@dataclass(frozen=True, slots=True)
class Bar:
    """A label and its parts, each a (name, value); most bars have one part."""

    label: str
    parts: tuple[tuple[str, float], ...]

    @property
    def total(self) -> float:
        return sum(value for _, value in self.parts)


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale."""

    title: str
    bars: tuple[Bar, ...]


def svg(result: Mapping[str, Any]) -> str:
    """The picture, as text; empty panels are left out."""
    panels = [panel for panel in (_rates(result), _latencies(result), _cpu(result), _bytes(result)) if panel.bars]
    body: list[str] = []
    y = 20
    for panel in panels:
        drawn, height = _panel(panel, y)
        body += drawn
        y += height + PANEL_GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>', *body, "</svg>"]) + "\n"


def _panel(panel: Panel, top: int) -> tuple[list[str], int]:
    """The drawing and its height."""
    names = list(dict.fromkeys(name for bar in panel.bars for name, _ in bar.parts))
    widest = max(bar.total for bar in panel.bars) or 1.0
    scale = (WIDTH - LABEL - 90) / widest
    out = [_text(10, top, panel.title, weight="bold")]
    y = top + 12
    for bar in panel.bars:
        out.append(_text(LABEL - 8, y + BAR - 5, bar.label, anchor="end"))
        x = float(LABEL)
        for name, value in bar.parts:
            width = value * scale
            colour = COLOURS[names.index(name) % len(COLOURS)]
            title = f"<title>{escape(name)}: {shown(value)}</title>"
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}">{title}</rect>')
            x += width
        out.append(_text(x + 6, y + BAR - 5, shown(bar.total)))
        y += BAR + GAP
    if len(names) > 1:
        y += 10
        out += _legend(names, y)
        y += 8
    return out, y - top


def _legend(names: Sequence[str], y: int) -> list[str]:
    out, x = [], float(LABEL)
    for number, name in enumerate(names):
        out.append(f'<rect x="{x:.1f}" y="{y - 9}" width="10" height="10" fill="{COLOURS[number % len(COLOURS)]}"/>')
        out.append(_text(x + 14, y, name))
        x += 26 + 7.0 * len(name)
    return out


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="#222222">{escape(text)}</text>'


def _rates(result: Mapping[str, Any]) -> Panel:
    bars = []
    for load in ("saturated", "slow tool"):
        for name, loads in result["columns"].items():
            if "executions_per_s" in loads.get(load, {}):
                bars.append(Bar(f"{load}, {name}", (("executions/s", loads[load]["executions_per_s"]),)))
        bare = (result["bare"] or {}).get(load)
        if bare:
            bars.append(Bar(f"{load}, bare loop", (("executions/s", bare["exec_per_s"]),)))
    return Panel("Executions per second (more is better)", tuple(bars))


def _latencies(result: Mapping[str, Any]) -> Panel:
    bars = []
    for load in ("unloaded", "at 200/s"):
        for name, loads in result["columns"].items():
            one = loads.get(load, {})
            if "latency.p50" in one:
                bars.append(Bar(f"{load}, {name}", _up_to(one["latency.p50"], one["latency.p99"])))
        bare = (result["bare"] or {}).get(load)
        if bare:
            bars.append(Bar(f"{load}, bare loop", _up_to(bare["p50_ms"], bare["p99_ms"])))
    return Panel("Publish → outcome, ms: p50, and on to p99 (less is better)", tuple(bars))


def _up_to(p50: float, p99: float) -> tuple[tuple[str, float], ...]:
    return (("up to p50", p50), ("up to p99", max(0.0, p99 - p50)))


def _cpu(result: Mapping[str, Any]) -> Panel:
    bars = []
    for name, loads in result["columns"].items():
        one = loads.get("saturated", {})
        parts = tuple((process, one[f"cpu_us.{process}"]) for process in PROCESSES[:-1] if one.get(f"cpu_us.{process}"))
        if parts:
            bars.append(Bar(name, parts))
    bare = (result["bare"] or {}).get("saturated")
    if bare:
        bars.append(Bar("bare loop", tuple((name, value) for name, value in bare_cpu_us(bare).items() if name != "all" and value)))
    return Panel("CPU per execution, µs, saturated, by process (less is better)", tuple(bars))


def _bytes(result: Mapping[str, Any]) -> Panel:
    one = result["columns"].get("P", {}).get("saturated", {})
    prefix = "bytes_per_execution."
    found = {
        name.removeprefix(prefix): value for name, value in one.items() if name.startswith(prefix) and value and not name.endswith(".all")
    }
    return Panel("Bytes per execution on the broker, by topic", tuple(Bar(name, (("bytes", value),)) for name, value in found.items()))
