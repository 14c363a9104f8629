"""Colours that everybody can tell apart, on either ground: computed, not looked at."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nbbatch.client.colours import KINDS, colour_of
from nbbatch.client.handles.outcome import Outcome
from nbbatch.errors import OptionError
from nbbatch.jupyter.figures.palette import GROUNDS, INKS, canvas, elapsed_ticks, headline_lines, ink_of
from nbbatch.jupyter.panels.frame import figure_bundle
from nbbatch.model.jobs import JobStatus

# Machado, Oliveira and Fernandes (2009), severity 1.0
SEEN_BY = {
    "everybody": np.eye(3),
    "deuteranopes": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopes": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
NOTICEABLE = 0.02
"""Difference in OKLab that is just seen between large patches."""


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return to_lab @ np.cbrt(np.clip(to_lms @ rgb, 0, None))


def distance(one: str, other: str, sight: str) -> float:
    seen = [oklab(np.clip(SEEN_BY[sight] @ linear(colour), 0, 1)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def test_every_status_and_every_way_to_fail_has_one_colour():
    """SUCCEEDED is both a status and an end; an array that failed has the colour of FAILED."""
    failed = set(Outcome) - {Outcome.SUCCEEDED, Outcome.CHILDREN_FAILED}
    assert set(KINDS) == (set(JobStatus) - {JobStatus.FAILED}) | failed
    assert len({kind.colour for kind in KINDS.values()}) == len(KINDS)
    assert len({kind.name for kind in KINDS.values()}) == len(KINDS)
    assert colour_of("FAILED") == colour_of("FAILED", Outcome.CHILDREN_FAILED) == KINDS[Outcome.EXITED].colour
    assert colour_of("FAILED", Outcome.TIMED_OUT) == KINDS[Outcome.TIMED_OUT].colour
    assert colour_of("SUCCEEDED", Outcome.SUCCEEDED) == KINDS[JobStatus.SUCCEEDED].colour
    assert colour_of("") == KINDS[JobStatus.SUBMITTED].colour


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_marks_stand_out_from_either_ground(ground):
    """WCAG 2.1, "Non-text Contrast": 3:1."""
    faint = {
        kind.name: contrast(kind.colour, ground)
        for kind in KINDS.values()
        if contrast(kind.colour, ground) < 2.98
    }
    assert not faint


@pytest.mark.parametrize("sight", SEEN_BY)
def test_everybody_tells_any_two_apart(sight):
    """More than twice what is just noticeable, and of the statuses that meet in every figure four times."""
    everyday = [KINDS[one].colour for one in (*list(JobStatus)[:6], Outcome.EXITED)]
    near = [
        (one.name, other.name)
        for one, other in combinations(KINDS.values(), 2)
        if distance(one.colour, other.colour, sight) < 2.5 * NOTICEABLE
    ]
    assert not near
    nearest = min(distance(one, other, sight) for one, other in combinations(everyday, 2))
    assert nearest > 4 * NOTICEABLE


def test_texts_read_on_their_grounds():
    """4.5:1 where the ground is known; where it is not, 4:1 on both, and hover labels bring their own."""
    for theme, ground in GROUNDS.items():
        assert contrast(INKS[theme].text, ground) > 7
        assert contrast(INKS[theme].weak, ground) > 4.5
        assert contrast(INKS["auto"].text, ground) > 4
    with pytest.raises(OptionError, match="no theme 'neon'"):
        ink_of("neon")


@pytest.mark.parametrize(
    ("longest", "texts"),
    [
        (0.45, ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (4, ["0", "1 s", "2 s", "3 s", "4 s"]),
        (100, ["0", "15 s", "30 s", "45 s", "1 min", "1 min 15", "1 min 30"]),
        (1200, ["0", "5 min", "10 min", "15 min", "20 min"]),
        (40_000, ["0", "2 h", "4 h", "6 h", "8 h", "10 h"]),
        (400_000, ["0", "1 d", "2 d", "3 d", "4 d"]),
    ],
)
def test_an_axis_of_time_has_round_ticks(longest, texts):
    """A handful, in the units people use."""
    assert elapsed_ticks(longest)["ticktext"] == texts


def test_a_long_headline_is_two_lines_cut_between_what_it_says():
    """So that it reads in a narrow page; a short one, and one that says a single thing, stay as they are."""
    said = "median 53 s · 95 % within 1 min 28 s · 1 outlier, longest 5 min 2 s (child 102)"
    assert headline_lines(said) == [
        "median 53 s · 95 % within 1 min 28 s",
        "1 outlier, longest 5 min 2 s (child 102)",
    ]
    assert headline_lines("79 waiting now · at most 80") == ["79 waiting now · at most 80"]
    assert headline_lines("x" * 90) == ["x" * 90]
    figure = canvas([], theme="auto", height=200, headline=said)
    assert figure.layout.height > canvas([], theme="auto", height=200, headline="short").layout.height
    assert figure_bundle(figure)["text/plain"] == said
