"""Show what a job displayed as if the cell had run here.

Displays are published as displays and the last value as the cell's result, through IPython's own
display hook, with the MIME bundle the job made: the saved notebook then holds exactly what it would
hold had the cell run in this kernel, and `_` and `Out[n]` have the value.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbbatch.client.results import Result
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.tracebacks import traceback_lines
from nbbatch.jupyter.widgets import open_models
from nbbatch.runner.outputs import WIDGETS

Output = Mapping[str, Any]
_LONGEST_REPLAY = 1_000_000
"""Characters of log beyond which the record has not all of it."""


def show_result(shell: Any, console: Console, result: Result, shown_log: str = "") -> None:
    """Show a job's displays and last value below what its log has shown already.

    Where the log does not show what the cell would have shown here (text and displays took turns,
    standard error, cleared output), the live text gives way to the outputs as they were.

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
    is_whole = result.has_cleared or len(shown_log) > _LONGEST_REPLAY
    outputs = result.outputs if is_whole else with_log(result.outputs, shown_log)
    if can_clear(shell) and (result.has_cleared or needs_replay(outputs, shown_log)):
        shell.display_pub.clear_output(wait=True)
        console.tell_again()
        show_outputs(shell, outputs, result)
    else:
        show_outputs(shell, result.displays, result)


def needs_replay(outputs: Sequence[Output], shown_log: str) -> bool:
    """Whether outputs, which have all that the log has, would look different from the log with displays below."""
    streams = [output for output in outputs if output["output_type"] == "stream"]
    kinds = [output["output_type"] for output in outputs]
    first_display = next((n for n, kind in enumerate(kinds) if kind != "stream"), len(kinds))
    if len(shown_log) > _LONGEST_REPLAY:
        return False
    is_mixed = "stream" in kinds[first_display:] or any(output["name"] == "stderr" for output in streams)
    return is_mixed or "".join(map(text_of, streams)) != shown_log


def with_log(outputs: Sequence[Output], log: str) -> list[Output]:
    """Outputs with what only the log has: text that child processes wrote to the file descriptors.

    Where the log has the recorded text in its order, what stands between two recorded texts was written
    between them; a display of the same moment goes below, since mostly it shows what the child has done.
    Where it has not, as Docker does not keep the order of standard output and standard error, what only
    the log has goes below all other text.
    """
    merged = _interleaved(outputs, log)
    if merged is not None:
        return merged
    recorded = Counter(line for output in outputs for line in _lines(text_of(output)))
    recorded.subtract(_lines(log))
    extra = "".join(line for line in dict.fromkeys(_lines(log)) if recorded[line] < 0 and line.strip())
    texts = [*(output for output in outputs if output["output_type"] != "execute_result")]
    _add_text(texts, extra)
    return [*texts, *(output for output in outputs if output["output_type"] == "execute_result")]


def _interleaved(outputs: Sequence[Output], log: str) -> list[Output] | None:
    merged: list[Output] = []
    displays: list[Output] = []
    at = 0
    for output in outputs:
        if output["output_type"] != "stream":
            displays.append(output)
            continue
        for line in _lines(text_of(output)):
            place = log.find(line, at)
            if place < 0:
                return None
            _add_text(merged, log[at:place])
            at = place + len(line)
            merged += displays
            displays.clear()
            _add_text(merged, line, output["name"])
    _add_text(merged, log[at:] if log[at:].strip("\n") else "")  # the reader ends a last line that has no end
    return merged + displays


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one, as in the log."""
    parts = text.split("\n")
    return [*(f"{part}\n" for part in parts[:-1]), *filter(None, parts[-1:])]


def _add_text(outputs: list[Output], text: str, name: str = "stdout") -> None:
    """Add text, to the last output if that is the same stream."""
    if not text:
        return
    last = outputs[-1] if outputs else {}
    if last.get("name") == name:
        text = text_of(last) + text
        outputs.pop()
    outputs.append({"output_type": "stream", "name": name, "text": text})


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
                streams = getattr(shell, "streams", sys)  # a panel has its own
                stream = streams.stderr if output["name"] == "stderr" else streams.stdout
                stream.write(text_of(output))
                stream.flush()
            case "execute_result":
                publish_value(shell, _shown_data(output["data"]), output.get("metadata"), result)
            case "error":
                _publish_error(shell, output)
            case kind:
                shell.display_pub.publish(
                    _shown_data(output["data"]),
                    dict(output.get("metadata") or {}),
                    transient=output.get("transient"),
                    update=kind == "update_display_data",
                )


def _shown_data(data: Output) -> dict[str, Any]:
    """The MIME bundle to publish, once the widgets that it refers to are there."""
    shown = dict(data)
    if WIDGETS in shown:
        open_models(shown.pop(WIDGETS))
    return shown


def _publish_error(shell: Any, output: Output) -> None:
    """An error that was shown and did not end the cell, as the shell shows one."""
    facts = {name: output["error"][name] for name in ("trace", "files") if name in output.get("error", {})}
    lines = traceback_lines("\n".join(output["traceback"]), facts)
    kind = type(output["ename"].rpartition(".")[2], (Exception,), {})
    shell._showtraceback(kind, output["evalue"], lines)  # noqa: SLF001 - what a kernel overrides


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
