"""Pieces of a panel's HTML: small, without scripts or style sheets, right on light and dark grounds. Pure.

Pictures are inline SVG in the colours of `client/colours.py`; every number in them stands in the text
beside them, too, for readers whose page drops SVG. Texts are escaped here and nowhere else.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nbbatch.client.handles.shown import badge

WIDTH = 680
"""Units of a picture's width; it is as wide as the notebook lets it, up to so many pixels."""
_INK, _WEAK, _RULE = (
    "var(--jp-ui-font-color1,currentColor)",
    "var(--jp-ui-font-color2,#757575)",
    "rgba(128,128,128,.3)",
)
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45"
_SHORT = 24
"""Letters of a name or an amount that stays in one line, however narrow the page is."""
_PRE = (
    "font-family:var(--jp-code-font-family,monospace);font-size:12px;line-height:1.35;margin:2px 0 6px;padding:6px 8px;"
    f"border-left:2px solid {_RULE};background:rgba(128,128,128,.08);white-space:pre-wrap;overflow-wrap:anywhere;max-height:22em;overflow:auto"
)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole: its colour, its name, how much it is, and how much of it is written."""

    colour: str
    name: str
    amount: float
    said: str = ""


def page(title: str, *parts: str, colour: str = "", state: str = "", aside: str = "") -> str:
    """A panel: its title with the state behind a mark in its colour, then its parts.

    Parameters
    ----------
    title, state, aside : str
        Plain text; `aside` stands weakly behind.
    *parts : str
        HTML; empty ones are left out.
    colour : str
        Of the state.
    """
    mark = badge(colour, state) if state else ""
    told = f' <span style="color:{_WEAK}">{escaped(aside)}</span>' if aside else ""
    head = f'<div style="margin-bottom:4px"><b>{escaped(title)}</b> {mark}{told}</div>'
    return f'<div class="nbbatch-panel" style="{_FONT};color:{_INK};max-width:{WIDTH + 40}px">{head}{"".join(filter(None, parts))}</div>'


def escaped(text: object) -> str:
    """Text as HTML; a dollar is written so that Jupyter typesets nothing between two of them."""
    return html.escape(str(text)).replace("$", "<span>&#36;</span>")


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """What is known, each under its weak title, side by side as far as there is room."""
    cells = "".join(
        f'<div style="margin-right:22px"><div style="color:{_WEAK};font-size:11px">{escaped(title)}</div>{escaped(value)}</div>'
        for title, value in pairs
        if value
    )
    return f'<div style="display:flex;flex-wrap:wrap;row-gap:4px;margin:4px 0">{cells}</div>' if cells else ""


def note(text: str, *, is_weak: bool = True) -> str:
    """A line of text; several where it has several."""
    colour = f"color:{_WEAK}" if is_weak else ""
    return (
        f'<div style="{colour};white-space:pre-wrap;overflow-wrap:anywhere">{escaped(text)}</div>'
        if text
        else ""
    )


def trouble(text: str) -> str:
    """A line that says what went wrong with the panel itself."""
    return f'<div role="alert" style="{_FONT};border-left:.7em solid #c34108;padding-left:.4em;margin:4px 0;white-space:pre-wrap">{escaped(text)}</div>'


def heading(text: str) -> str:
    """The title of what follows."""
    return f'<div style="color:{_WEAK};font-size:11px;margin-top:6px">{escaped(text)}</div>'


def log(text: str, *, title: str = "log") -> str:
    """The end of a log."""
    return f'{heading(title)}<pre style="{_PRE}">{html.escape(text)}</pre>' if text else ""


def svg(height: float, body: str, said: str, *, width: float = WIDTH, stretches: bool = True) -> str:
    """A picture in units of its own, as wide as there is room; `said` is what it says to who does not see it."""
    aspect = ' preserveAspectRatio="none"' if stretches else ""
    return (
        f'<svg role="img" aria-label="{html.escape(said)}" viewBox="0 0 {width:g} {height:g}"{aspect} '
        f'style="display:block;width:100%;max-width:{WIDTH}px;height:{height:g}px;margin:3px 0">{body}</svg>'
    )


def rect(
    x: float, y: float, width: float, height: float, colour: str, title: str = "", more: str = ""
) -> str:
    """A mark; `title` shows where a pointer rests."""
    told = f"<title>{html.escape(title)}</title>" if title else ""
    end = f">{told}</rect>" if told else "/>"
    return (
        f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" fill="{colour}"{more}{end}'
    )


def meter(shares: Sequence[Share], whole: float = 0, *, height: float = 10) -> str:
    """A bar divided among the shares, on a quiet ground of the whole where they do not fill it."""
    total = max(whole, sum(share.amount for share in shares)) or 1.0
    at, marks = 0.0, [rect(0, 0, WIDTH, height, "rgba(128,128,128,.16)")]
    for share in shares:
        wide = WIDTH * share.amount / total
        if wide > 0:
            marks.append(rect(at, 0, max(wide, 0.6), height, share.colour, f"{share.name} {_said(share)}"))
        at += wide
    return svg(height, "".join(marks), ", ".join(f"{share.name} {_said(share)}" for share in shares))


def legend(shares: Iterable[Share]) -> str:
    """What the colours mean and how much of each there is."""
    keys = "".join(
        f'<span style="margin-right:14px;white-space:nowrap">{badge(share.colour, "")}{escaped(share.name)} {escaped(_said(share))}</span>'
        for share in shares
    )
    return f'<div style="margin:2px 0 4px">{keys}</div>' if keys else ""


def _said(share: Share) -> str:
    return share.said or f"{share.amount:,.10g}"


def rows(shares: Sequence[Share]) -> str:
    """Horizontal bars below each other: name, bar, how much."""
    most = max((share.amount for share in shares), default=0) or 1.0
    lines = "".join(
        f'<tr><td style="text-align:left;padding:1px 10px 1px 0{_kept(share.name)}">{escaped(share.name)}</td>'
        f'<td style="padding:1px 8px 1px 0;width:50%;min-width:40px;text-align:left"><div style="background:{share.colour};height:9px;width:{max(1.0, 100 * share.amount / most):.1f}%"></div></td>'
        f'<td style="text-align:left;padding:1px 0{_kept(_said(share))}">{escaped(_said(share))}</td></tr>'
        for share in shares
    )
    return f'<table style="margin:2px 0;width:100%;max-width:{WIDTH}px;table-layout:auto"><tbody>{lines}</tbody></table>'


def _kept(text: str) -> str:
    return ";white-space:nowrap" if len(text) <= _SHORT else ""


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table of plain texts; the first column and words stand left."""
    left = 'style="text-align:left"'
    top = "".join(f"<th {left}>{escaped(word)}</th>" for word in head)
    lines = "".join(
        f"<tr>{''.join(f'<td {left}>{escaped(cell)}</td>' for cell in line)}</tr>" for line in body
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def columns(heights: Sequence[float], colour: str, said: str, *, height: float = 44) -> str:
    """Upright bars of one width side by side: a histogram."""
    most, wide = max(heights, default=0) or 1.0, WIDTH / max(1, len(heights))
    marks = "".join(
        rect(place * wide + 0.5, height - tall, max(wide - 1, 0.5), tall, colour)
        for place, value in enumerate(heights)
        if (tall := max(1.0, height * value / most)) and value > 0
    )
    base = rect(0, height - 0.5, WIDTH, 0.5, "rgba(128,128,128,.6)")
    return svg(height, base + marks, said)


def line(values: Sequence[float], colour: str, said: str, *, height: float = 34, most: float = 0) -> str:
    """A curve over even steps, its area lightly filled: a sparkline."""
    top, step = max(most, *values, 1e-12) if values else 1.0, WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{place * step:.4g},{height - 1 - (height - 3) * value / top:.4g}"
        for place, value in enumerate(values)
    )
    curve = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6" vector-effect="non-scaling-stroke"/>'
    area = f'<polygon points="0,{height:g} {points} {WIDTH},{height:g}" fill="{colour}" opacity=".15"/>'
    return svg(height, area + curve, said) if values else ""
