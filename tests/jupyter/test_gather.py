from __future__ import annotations

import pandas as pd
import pytest

from nbbatch.client.results import ItemResult
from nbbatch.jupyter.gather import gather_values, gather_variables


def result(**variables):
    return ItemResult(position=0, variables=variables)


def test_each_name_becomes_the_list_over_the_items():
    """Out names are lists in the order of the items; a name one item lacks is not inferred."""
    results = [result(score=1, x="a"), result(score=2)]
    assert gather_variables(results, None) == {"score": [1, 2]}
    assert gather_variables(results, ["score", "x"]) == {"score": [1, 2], "x": ["a", None]}


def test_what_a_cell_imports_or_defines_is_itself():
    """A module, function or class is the same for every item and is no list."""
    results = [result(pd=pd, f=result, x=1), result(pd=pd, f=result, x=2)]
    assert gather_variables(results, None) == {"pd": pd, "f": result, "x": [1, 2]}


def test_rows_become_a_table():
    """Dicts and Series are rows of a DataFrame; DataFrames are stacked, with the item as a level."""
    frame, said = gather_values([{"a": 1}, {"a": 2}])
    assert list(frame["a"]) == [1, 2]
    assert "one row per item" in said
    frame, _ = gather_values([pd.Series({"a": 1}), pd.Series({"a": 2})])
    assert list(frame["a"]) == [1, 2]
    frame, _ = gather_values([pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3]})])
    assert frame.index.names[0] == "item"
    assert list(frame["a"]) == [1, 2, 3]


@pytest.mark.parametrize("values", [[1, 2], [{"a": 1}, 2], [None, 1]])
def test_other_values_are_a_list(values):
    """What is not a row for every item stays a list."""
    assert gather_values(values)[0] == values


def test_no_value_is_no_value():
    """Items that end without a value give none."""
    assert gather_values([None, None]) == (None, "")
