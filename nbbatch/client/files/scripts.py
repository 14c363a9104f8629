"""Scripts, programs and images as jobs: `nbbatch.script` and `nbbatch.command`.

Where the image has python3, the runner starts the program: files are placed before and fetched after
it, items of an array become `$ITEM`, `$NBBATCH_CHECKPOINTS` is a folder that outlives an attempt. An image without it runs the program as its container's command,
and then exit code and log are all there is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbbatch.client.arrays.array_jobs import map_packed
from nbbatch.client.arrays.chunks import key_of
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.mapping import chunk_of
from nbbatch.client.backend import get_backend
from nbbatch.client.checks import check_text, refusal, texts_of
from nbbatch.client.files.fetched import Fetched
from nbbatch.client.files.programs import words_of
from nbbatch.client.files.script_arrays import ScriptArray
from nbbatch.client.files.script_result import ScriptResult
from nbbatch.client.handles.outcome import error_of
from nbbatch.client.images.facts import ImageFacts, facts_of
from nbbatch.client.jobs import TAIL, Job
from nbbatch.client.logs import read_lines, streams_of, tail
from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Cell, Command
from nbbatch.client.spec import SCRIPT_VARIABLE, JobSpec, job_name
from nbbatch.client.submission import files_of, pack_for, resolve, send, submit_spec
from nbbatch.errors import EnvironmentMismatchError, JobError, OptionError, RemoteError, UnknownNameError
from nbbatch.runner.mirror import VARIABLE as CHECKPOINTS

_LONGEST_ARGUMENT = 6000
"""Characters of a script that go on a command line; with the environment they must fit 8 kB."""
_STDIN = "the text that it reads on standard input"
_BY_SUFFIX = {
    ".sh": "bash",
    ".ipy": "ipython",
    ".bash": "bash",
    ".py": "python3",
    ".r": "Rscript",
    ".pl": "perl",
    ".jl": "julia",
}


class ScriptJob(Job):
    """A job that runs a script or a program; `Job` has all but what it brings."""

    def result(self, timeout: float | None = None) -> ScriptResult:
        """Wait, bring its files, and give its output.

        Raises
        ------
        TimeoutError
            The time was up; the job goes on.
        JobFailedError
            It exited with another code than 0: `exit_code`, and the end of its log.
        JobError
            What else ended it.
        """
        result: ScriptResult = super().result(timeout)
        return result

    def _value(self, fetched: Fetched | None) -> ScriptResult:
        detail = self.detail()
        has_bundle = bool(bundle_of(detail))
        return ScriptResult(
            exit_code=self.exit_code or 0,
            output="\n".join(read_lines(self.backend, detail, streams_of(detail)[-1:])),
            files=fetched.paths if fetched is not None else (),
            variables=self.load().variables if has_bundle else {},
        )

    def exception(self, timeout: float | None = None) -> JobError | None:
        """What `result` would raise, None for a job that succeeded."""
        return self.error(timeout)

    def error(self, timeout: float | None = None) -> JobError | None:
        """Why the job did not succeed."""
        error = super().error(timeout)
        if isinstance(error, RemoteError) and error.remote_type == "ExitCodeError":
            detail = self.detail()
            return error_of(detail, log_tail=tail(self.backend, detail, TAIL))
        return error


def script(
    text: str | os.PathLike[str],
    /,
    *,
    lang: str | None = None,
    outputs: Sequence[str] = (),
    stdin: str | None = None,
    items: Any = None,
    chunk: int | str = "auto",
    **options: Any,
) -> ScriptJob | ScriptArray:
    """Run a script as a job.

    Parameters
    ----------
    text : str or Path
        The script itself, or as a `Path` the file it is in.
    lang : str, optional
        `bash` (with `-e`), `python`, or a command line that gets the script file as its last word.
        Without it: the script's `#!` line, the file's ending, else `bash`.
    outputs : sequence of str
        Names whose text comes back: shell variables of bash, else files of that name.
    stdin : str, optional
        What it reads on standard input.
    items, chunk
        Run it once for each item, as in `map`: the item is `$ITEM` and `$1`.
    **options
        As in `submit`: `image`, `files`, `workdir`, `fetch`, `env`, `vcpus`, ...

    Returns
    -------
    ScriptJob or ScriptArray
        `result()` waits and gives exit code, output and files, of an array those of each item.

    Raises
    ------
    EnvironmentMismatchError
        The image has no python3, and the script needs files, items, input, outputs or checkpoints.

    Examples
    --------
    >>> nbbatch.script("ffmpeg -i in.mp4 out.webm", files=["in.mp4"], fetch=["out.webm"])  # doctest: +SKIP
    """
    outputs = texts_of("outputs", outputs or (), "a list of names")
    check_text("stdin", stdin, _STDIN)
    source, name = _read(text)
    wanted = resolve(options)
    language = _language(lang, source, text)
    array = _array(items, chunk, wanted, source)
    cell = Cell(source=source, language=language, stdin=stdin, outputs=outputs, label=name, **array)
    is_simple = not (outputs or stdin or cell.items is not None or CHECKPOINTS in source)
    argv = [*(("bash", "-e") if language == "bash" else words_of(language)), "-c", source]
    if not _runs_beside_the_runner(
        wanted, is_simple and len(source) < _LONGEST_ARGUMENT and language == "bash"
    ):
        return _plain([*_shell(wanted, argv)], wanted, name)
    return _submit(cell, wanted, name)


def command(
    argv: Iterable[Any],
    /,
    *,
    stdin: str | None = None,
    items: Any = None,
    chunk: int | str = "auto",
    **options: Any,
) -> ScriptJob | ScriptArray:
    """Run a program as a job: one of an image, or your own with `files=`.

    Parameters
    ----------
    argv : sequence
        The program and its arguments, taken as they are: no shell, nothing is expanded.
    stdin, items, chunk, **options
        As in `script`; an item is `$ITEM` in the program's environment.

    Returns
    -------
    ScriptJob or ScriptArray
        `result()` waits and gives exit code, output and files, of an array those of each item.

    Raises
    ------
    OptionError
        There is no program, or it is a file of this machine that is not sent along.

    Examples
    --------
    >>> nbbatch.command(["/bin/tool", "-x"], image="my/tool:2")  # doctest: +SKIP
    >>> nbbatch.command(["./mytool", "--n", 3], files=["mytool"])  # doctest: +SKIP
    """
    words = _words(argv)
    check_text("stdin", stdin, _STDIN)
    wanted = resolve(options)
    _check_program(words, wanted)
    name = job_name(Path(words[0]).name)
    payload = Command(argv=words, stdin=stdin, **_array(items, chunk, wanted, shlex.join(words)))
    is_simple = not (stdin or payload.items is not None or CHECKPOINTS in shlex.join(words))
    if not _runs_beside_the_runner(wanted, is_simple=is_simple, prefers_plain=True):
        return _plain(words, wanted, name)
    return _submit(payload, wanted, name)


def _read(text: str | os.PathLike[str]) -> tuple[str, str]:
    """The script and a name for its job."""
    if isinstance(text, str):
        words = text.split(maxsplit=1)
        if not words:
            raise OptionError("The script is empty.", cure="Give its text, or Path(...) of its file.")
        if len(words) == 1 and Path(text).is_file():
            raise OptionError(f"{text!r} is the name of a file, not a script.", cure=f"Write Path({text!r}).")
        return text, job_name(Path(words[0].rstrip(";")).name if not text.startswith("#!") else "script")
    if not isinstance(text, os.PathLike):
        raise refusal("A script", text, "its text, or Path(...) of its file")
    path = Path(text)
    if not path.is_file():
        raise UnknownNameError(f"There is no script {path}.", cure="A script's text is given as str.")
    return path.read_text(encoding="utf-8"), job_name(path.stem)


def _language(lang: str | None, source: str, text: object) -> str:
    """The command line that runs the script."""
    if lang is not None and (not isinstance(lang, str) or not lang.strip()):
        raise OptionError(
            f"lang does not understand {lang!r}.", cure='It takes "bash", "python", or a command line.'
        )
    if lang is not None:
        return "python3" if lang == "python" else lang
    if source.startswith("#!"):
        words = source.splitlines()[0].removeprefix("#!").split()
        words = words[1:] if words and Path(words[0]).name == "env" else words
        line = shlex.join(word for word in words if word != "-S")
        return "bash" if Path(line).name == "bash" else line or "bash"
    return "bash" if isinstance(text, str) else _BY_SUFFIX.get(Path(str(text)).suffix.lower(), "bash")


def _words(argv: Iterable[Any]) -> list[str]:
    """The words as text; a program given as a relative Path is a file of the working directory."""
    given = [] if isinstance(argv, str) or not isinstance(argv, Iterable) else list(argv)
    words = [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in given]
    if words and isinstance(given[0], os.PathLike) and not Path(words[0]).is_absolute():
        words[0] = f"./{words[0]}"
    if not words:
        raise OptionError(
            f"{argv!r} is not a list of words.",
            cure='Give ["program", "argument"], or a shell line to nbbatch.script.',
        )
    return words


def _check_program(words: Sequence[str], options: Options) -> None:
    """A program named relative to the working directory has to be sent there."""
    is_own = words[0].startswith("./") and not (options.image or options.definition)
    if is_own and not (options.files or options.workdir) and Path(words[0]).is_file():
        raise OptionError(
            f"{words[0]} is a file here, and the job does not see it.",
            cure=f"Send it along: files=[{words[0].removeprefix('./')!r}].",
        )


def _array(items: Any, chunk: int | str, wanted: Options, code: str) -> dict[str, Any]:
    if items is None:
        return {}
    listed = list_items(items)
    return {"items": listed, "chunk": chunk_of(chunk, len(listed), wanted, key_of(code)).size}


def _runs_beside_the_runner(options: Options, is_simple: bool, *, prefers_plain: bool = False) -> bool:  # noqa: FBT001
    """Whether the job is started by the runner, which needs python3 in the image.

    Raises
    ------
    EnvironmentMismatchError
        It must be, and cannot.
    """
    if not (options.image or options.definition):
        return True
    facts = _facts(options)
    if files_of(options) or not is_simple:
        if facts is not None and not facts.python:
            raise EnvironmentMismatchError(
                f"Image {options.image} has no python3, which places files, items and input in the job, brings files "
                f"back and keeps ${CHECKPOINTS}.",
                cure=f'Build one that has: nbbatch.image(base="{options.image}", system=["python3"], packages=[]); '
                "or build the files into the image.",
            )
        return True
    return not prefers_plain and facts is not None and bool(facts.python)


def _facts(options: Options) -> ImageFacts | None:
    return facts_of(get_backend(options.backend), options.image) if options.image else None


def _shell(options: Options, argv: Sequence[str]) -> Sequence[str]:
    """The command line with the shell that the image has."""
    facts = _facts(options)
    return ["sh", *argv[1:]] if facts is not None and facts.shell == "sh" and argv[0] == "bash" else argv


def _submit(payload: Cell | Command, options: Options, name: str) -> ScriptJob | ScriptArray:
    packed = pack_for(payload, options)
    packed = replace(packed, environment={**packed.environment, SCRIPT_VARIABLE: "1"})
    if payload.items is not None:
        return map_packed(packed, options, name=name, inputs=payload.items, kind=ScriptArray)
    return _handle(send(packed, options, name=name), options, name)


def _plain(argv: Sequence[str], options: Options, name: str) -> ScriptJob:
    """A job whose container runs the program itself."""
    spec = JobSpec(
        options=options,
        name=options.name or name,
        command=argv,
        environment={**options.env, SCRIPT_VARIABLE: "1"},
    )
    return _handle(submit_spec(get_backend(options.backend), spec), options, name)


def _handle(job_id: str, options: Options, name: str) -> ScriptJob:
    return ScriptJob(job_id, backend=options.backend or get_backend().name, name=options.name or name)
