"""Widgets that a job has shown, in the saved notebook."""

from __future__ import annotations

VIEW = "application/vnd.jupyter.widget-view+json"
CELL = """%%batch
import ipywidgets as w
slider = w.IntSlider(3, description='n')
display(w.HBox([slider, w.HTML('<b>h</b>')]))
slider.value = 5
"""


def test_a_saved_notebook_has_the_last_state_of_a_job_s_widgets(execute):
    """The model of every widget that is shown is there under its id, with the value it had at the end."""
    notebook = execute(CELL)
    (shown,) = [output for output in notebook.cells[0].outputs if VIEW in output.get("data", {})]
    assert shown["data"]["text/plain"].startswith("HBox(")
    assert set(shown["data"]) == {"text/plain", VIEW}
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    box = state[shown["data"][VIEW]["model_id"]]
    children = [state[name.removeprefix("IPY_MODEL_")]["state"] for name in box["state"]["children"]]
    assert (children[0]["value"], children[0]["description"], children[1]["value"]) == (5, "n", "<b>h</b>")
