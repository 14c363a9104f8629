"""Show what a job displayed as if the cell had run here.

Displays are published as displays and the last value as the cell's result, through IPython's own
display hook, with the MIME bundle the job made: the saved notebook then holds exactly what it would
hold had the cell run in this kernel, and `_` and `Out[n]` have the value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from IPython.core.display_functions import clear_output, publish_display_data

from nbbatch.client.results import Result
from nbbatch.jupyter.console import Console

Output = Mapping[str, Any]
_LONGEST_REPLAY = 1_000_000
"""Characters of log beyond which the record has not all of it."""


def show_result(shell: Any, console: Console, result: Result, shown_log: str = "") -> None:
    """Show a job's displays and last value below what its log has shown already.

    Where text and displays took turns, the live text gives way to the true order, if nothing would
    be lost by it: what child processes wrote straight to the file descriptors is in the log only.

    Parameters
    ----------
    shell : InteractiveShell
        Where to show.
    console : Console
        Tells the story again when the cell's output is cleared.
    result : Result
        What came back.
    shown_log : str
        What was shown of the log while the job ran.
    """
    if can_clear(shell) and needs_replay(result.outputs, shown_log):
        clear_output(wait=True)  # type: ignore[no-untyped-call]
        console.tell_again()
        show_outputs(shell, result.outputs, result)
    else:
        show_outputs(shell, result.displays, result)


def needs_replay(outputs: Sequence[Output], shown_log: str) -> bool:
    """Whether the outputs say more about order than the log did, and all that the log said."""
    streams = [output for output in outputs if output["output_type"] == "stream"]
    kinds = [output["output_type"] for output in outputs]
    first_display = next((n for n, kind in enumerate(kinds) if kind != "stream"), len(kinds))
    has_order = "stream" in kinds[first_display:] or any(output["name"] == "stderr" for output in streams)
    said = "".join(text_of(output) for output in streams)
    if not has_order or len(shown_log) > _LONGEST_REPLAY:
        return False
    return sorted(said.split()) == sorted(shown_log.split())


def can_clear(shell: Any) -> bool:
    """Whether outputs of a cell can be taken back: in a kernel, not on a terminal."""
    return getattr(shell, "kernel", None) is not None


def show_outputs(shell: Any, outputs: Iterable[Output], result: Result | None = None) -> None:
    """Publish outputs in the notebook format, in order.

    The last value also becomes `_` and `Out[n]` where it came back.
    """
    for output in outputs:
        match output["output_type"]:
            case "stream":
                stream = sys.stderr if output["name"] == "stderr" else sys.stdout
                stream.write(text_of(output))
                stream.flush()
            case "execute_result":
                publish_value(shell, output["data"], output.get("metadata"), result)
            case _:
                publish_display_data(  # type: ignore[no-untyped-call]
                    dict(output["data"]),
                    dict(output.get("metadata") or {}),
                    transient=output.get("transient"),
                )


def publish_value(shell: Any, data: Output, metadata: Output | None, result: Result | None) -> None:
    """Publish the last value with the job's MIME bundle, the steps of IPython's display hook."""
    hook = shell.displayhook
    hook.start_displayhook()
    hook.write_output_prompt()
    hook.write_format_data(dict(data), dict(metadata or {}))
    if result is not None and result.value is not None:
        hook.update_user_ns(result.value)
    hook.finish_displayhook()


def publish_here(shell: Any, value: Any) -> None:
    """Publish a value of this kernel as the cell's result; None shows nothing."""
    if value is not None:
        shell.displayhook(value)


def text_of(output: Output) -> str:
    """Text of a stream output; the notebook format allows a list of lines."""
    text = output.get("text", "")
    return text if isinstance(text, str) else "".join(text)
