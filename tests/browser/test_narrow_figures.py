"""Figures in a notebook beside which other windows stand: plotly draws them, and nothing lies over anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts
from figure_children import an_array  # noqa: E402 - as above

from nbbatch.jupyter.figures.figure import OF_CHILDREN  # noqa: E402 - as above

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARRAYS = {"few": (48, 100), "hundreds": (300, 350), "thousands": (2000, 900)}
"""Children, and the second at which they are looked at: with all statuses, and ways to fail."""
_BOXES = """
() => [...document.querySelectorAll('.js-plotly-plot:has(.legend)')].map(figure => ['.gtitle', '.legend']
  .map(part => figure.querySelector(part).getBoundingClientRect()).map(box => [box.top, box.bottom]))
"""
_DRAWN = "count => document.querySelectorAll('.js-plotly-plot .gtitle').length === count"


@pytest.fixture(scope="module")
def figures():
    """The figures of some arrays, each as the text of a page's part."""
    drawn = [
        draw(an_array(size, until=until), "light")
        for size, until in ARRAYS.values()
        for draw in OF_CHILDREN.values()
    ]
    return [one.to_html(full_html=False, include_plotlyjs=at == 0) for at, one in enumerate(drawn)]


@pytest.mark.parametrize("width", [400, 480, 700])
def test_a_legend_stands_below_the_headline(figures, width):
    """However many rows it needs in a page of this width; none of them is scrolled away."""
    with front_end.browsing() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(120_000)
        page.set_content(f"<body style='margin:0'>{''.join(figures)}</body>")
        page.wait_for_function(_DRAWN, arg=len(figures))
        boxes = page.evaluate(_BOXES)
        assert len(boxes) >= 2 * len(ARRAYS)
        assert [one for one in boxes if one[1][0] < one[0][1] + 2] == []
        assert page.locator(".legend .scrollbar[height]:not([height='0'])").count() == 0
