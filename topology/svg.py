"""A few shapes in SVG, enough for the pictures in the docs. Whole-number coordinates, so that a rendering is the same everywhere."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

INK = "#1f2937"
SOFT = "#6b7280"
STAGE_FILL = "#dbeafe"
STAGE_LINE = "#1d4ed8"
TOPIC_FILL = "#fef3c7"
TOPIC_LINE = "#b45309"
LOG_FILL = "#fde68a"
OUTSIDE_FILL = "#f3f4f6"
FAINT = "#e5e7eb"

Point = tuple[int, int]

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
    'font-family="Helvetica, Arial, sans-serif" font-size="12">\n<title>{title}</title>\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
    f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>\n<rect width="{{width}}" height="{{height}}" fill="#ffffff"/>\n'
)


@dataclass(slots=True, kw_only=True)
class Canvas:
    """Collects shapes in drawing order; `text` gives the whole document."""

    width: int
    title: str
    height: int = 0
    shapes: list[str] = field(default_factory=list)

    def box(self, at: Point, size: Point, *, fill: str, line: str, corner: int = 4, is_dashed: bool = False) -> None:
        """A rectangle with its upper left corner at `at`."""
        dash = ' stroke-dasharray="4 3"' if is_dashed else ""
        self._add(
            f'<rect x="{at[0]}" y="{at[1]}" width="{size[0]}" height="{size[1]}" rx="{corner}" fill="{fill}" stroke="{line}"{dash}/>',
            bottom=at[1] + size[1],
        )

    def label(self, at: Point, words: str, *, anchor: str = "middle", size: int = 12, colour: str = INK, is_bold: bool = False) -> None:
        """One line of text; `at` is its baseline."""
        weight = ' font-weight="bold"' if is_bold else ""
        self._add(
            f'<text x="{at[0]}" y="{at[1]}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{weight}>{escape(words)}</text>',
            bottom=at[1],
        )

    def path(self, *points: Point, tip: bool = True, is_both_ways: bool = False, is_dashed: bool = False, colour: str = INK) -> None:
        """A line through the points, with an arrow head at its end (and at its start)."""
        marks = (' marker-end="url(#tip)"' if tip else "") + (' marker-start="url(#tip)"' if is_both_ways else "")
        dash = ' stroke-dasharray="4 3"' if is_dashed else ""
        course = "M" + "L".join(f"{x} {y}" for x, y in points)
        self._add(f'<path d="{course}" fill="none" stroke="{colour}"{dash}{marks}/>', bottom=max(y for _, y in points))

    def dot(self, at: Point, radius: int, *, fill: str, line: str) -> None:
        """A circle."""
        self._add(f'<circle cx="{at[0]}" cy="{at[1]}" r="{radius}" fill="{fill}" stroke="{line}" stroke-width="2"/>', bottom=at[1] + radius)

    def text(self) -> str:
        """The SVG document."""
        head = _HEAD.format(width=self.width, height=self.height + 16, title=escape(self.title))
        return head + "\n".join(self.shapes) + "\n</svg>\n"

    def _add(self, shape: str, *, bottom: int) -> None:
        self.shapes.append(shape)
        self.height = max(self.height, bottom)
