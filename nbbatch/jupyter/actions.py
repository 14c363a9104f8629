"""What each word of `%batch` does; the words themselves are in `commands`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.doctor.checkup import Report, doctor
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import in_words, short_id
from nbbatch.client.jobs import Job
from nbbatch.client.listing import jobs
from nbbatch.client.queues import QueueTable, queues
from nbbatch.client.told import Told
from nbbatch.errors import UnknownNameError
from nbbatch.jupyter.cells import attach_to, find_job
from nbbatch.jupyter.commands import Call, command_help
from nbbatch.jupyter.console import Console, TextConsole, console_for
from nbbatch.jupyter.costs import show_cost
from nbbatch.jupyter.errors import in_magic_words
from nbbatch.jupyter.launcher.launch import show_launcher
from nbbatch.jupyter.panels.open import panel
from nbbatch.jupyter.panels.panel import Panel
from nbbatch.jupyter.past import show_events, show_timeline
from nbbatch.jupyter.settings import show_config, use_backend
from nbbatch.jupyter.story import final_line, status_line
from nbbatch.jupyter.waiting import items_of
from nbbatch.model.jobs import TERMINAL

Action = Callable[[Any, Call, str | None], Any]
_BOARDS = ("queue", "fleet", "cost")
"""Panels of a backend."""
_NEWEST = 20
"""Jobs that `%batch jobs` shows unless told otherwise."""


def show_jobs(_shell: Any, call: Call, backend: str | None) -> Any:
    """`%batch jobs`: the newest jobs as a table."""
    return jobs(backend=backend, **{"limit": _NEWEST, **call.options})


def show_job(shell: Any, call: Call, backend: str | None) -> Any:
    """`%batch job ID`: how it stands, in a line; gives the handle."""
    job = find_job(call.job, shell.user_ns, backend)
    detail, console = job.detail(), console_for(shell)
    is_over = detail["status"] in TERMINAL
    told = Told()
    told.take(job.notes())
    if is_over:
        line = final_line(detail, job.account(), items=items_of(job))
        console.line(" · ".join(filter(None, [f"job {short_id(job.id)} {job.name}", line, str(told)])))
    else:
        console.line(status_line(detail, time.time(), job.account(), told=str(told), items=items_of(job)))
    console.line(in_words(detail) if is_over else job.why())
    return job


def show_logs(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch logs ID [-f] [--tail N]`: the log as text, an array's with `[index]`; `-f` goes on to the end."""
    job = find_job(call.job, shell.user_ns, backend)
    console = TextConsole()
    if call.options.get("follow"):
        _follow_log(job, console, shell, call.options.get("tail"))
        return
    text = str(job.logs(tail=call.options.get("tail")))
    console.log(text if text.endswith("\n") or not text else f"{text}\n")


def _follow_log(job: Job | ArrayJob, console: Console, shell: Any, tail: int | None) -> None:
    try:
        for line in job.logs(follow=True, tail=tail):
            console.log(f"{line}\n")
    except KeyboardInterrupt:
        console_for(shell).line(f"job {short_id(job.id)} goes on")


def show_why(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch why ID`: why it waits, or why it failed, in words."""
    console = console_for(shell)
    for line in find_job(call.job, shell.user_ns, backend).why().splitlines():
        console.line(in_magic_words(line))


def show_resize(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch resize ID`: the line that would have sufficed, what it saves, and why."""
    console_for(shell).line(str(find_job(call.job, shell.user_ns, backend).resize_advice()))


def attach(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch attach ID [--out A,B]`: the story from here on, then outputs and variables."""
    names = call.options.get("out")
    outputs = None if names is None else tuple(name.strip() for name in names.split(",") if name.strip())
    attach_to(shell, find_job(call.job, shell.user_ns, backend), outputs, console_for(shell))


def _newest_id(backend: str | None) -> str:
    newest = jobs(backend=backend, limit=1)
    if not newest:
        raise UnknownNameError("There is no job yet.", cure="%batch panel queue shows the queues.")
    return newest[0].id


def show_panel(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch panel [ID]`, or `queue`, `fleet`, `cost`: a live panel; where nothing can be redrawn, as lines."""
    is_board = call.job in _BOARDS and call.job not in shell.user_ns
    what = call.job if is_board else find_job(call.job or _newest_id(backend), shell.user_ns, backend)
    shown = panel(what, backend=backend, **call.options)
    console = console_for(shell)
    if isinstance(console, TextConsole):
        for line in shown.look().lines:
            console.line(line)
    else:
        shown.show()


def cancel(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch cancel ID`: take it back before it starts; a running one is told how to stop."""
    job, console = find_job(call.job, shell.user_ns, backend), console_for(shell)
    if _has_ended(job, console):
        return
    name = short_id(job.id)
    if job.cancel():
        # AWS Batch, user guide "Job states": a PENDING job is cancelled after its dependencies have completed
        later = "" if job.done() else ": it ends, without a start, when the jobs it depends on have ended"
        console.line(f"job {name} is cancelled{later}")
    else:
        console.line(
            f"job {name} runs already, and cancelling leaves it alone · %batch terminate {name} stops it"
        )


def terminate(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch terminate ID`: stop it wherever it is."""
    job, console = find_job(call.job, shell.user_ns, backend), console_for(shell)
    if not _has_ended(job, console):
        job.terminate()
        told = "is terminated" if job.done() else "is being stopped: SIGTERM, and SIGKILL after 30 s"
        console.line(f"job {short_id(job.id)} {told}")


def retry(shell: Any, call: Call, backend: str | None) -> Any:
    """`%batch retry ID`: submit it again; gives the new handle."""
    job = find_job(call.job, shell.user_ns, backend)
    again = job.retry_failed() if isinstance(job, ArrayJob) else job.retry()
    name, console = short_id(again.id), console_for(shell)
    if again.id == job.id:
        console.line(f"nothing to do: no item of {name} has failed")
        return None
    console.line(f"job {name} repeats {short_id(job.id)} · %batch attach {name} waits for it")
    return again


def interrupt(shell: Any, call: Call, backend: str | None) -> None:
    """`%batch interrupt ID [--notice N]`: its host gets a Spot notice, N seconds before it is gone."""
    job = find_job(call.job, shell.user_ns, backend)
    body = {"target": job.id, "noticeSeconds": call.options.get("notice")}
    hosts = ", ".join(job.backend.private("interrupt", body)["hosts"])
    console_for(shell).line(f"job {short_id(job.id)} loses its host {hosts}: notice is given")


def show_queues(_shell: Any, call: Call, backend: str | None) -> QueueTable | Panel:
    """`%batch queues [NAME]`: queues, their environments and what waits in them; the panel of one."""
    return panel("queue", name=call.job, backend=backend) if call.job else queues(backend=backend)


def show_fleet(_shell: Any, _call: Call, backend: str | None) -> Panel:
    """`%batch fleet`: the panel of the hosts."""
    return panel("fleet", backend=backend)


def show_form(shell: Any, call: Call, _backend: str | None) -> None:
    """`%batch launch [options of %%batch]`: a form for the rest of them, and the line that it makes."""
    show_launcher(shell, call.rest)


def show_doctor(_shell: Any, call: Call, backend: str | None) -> Report:
    """`%batch doctor [NAME]`: every check with what was found, and what to do."""
    return doctor(call.job or backend)


def show_help(_shell: Any, _call: Call, _backend: str | None) -> None:
    """`%batch help`."""
    print(command_help())  # noqa: T201 - help is what was asked for


ACTIONS: Mapping[str, Action] = {
    "jobs": show_jobs,
    "job": show_job,
    "logs": show_logs,
    "why": show_why,
    "resize": show_resize,
    "events": show_events,
    "timeline": show_timeline,
    "attach": attach,
    "panel": show_panel,
    "cancel": cancel,
    "terminate": terminate,
    "retry": retry,
    "interrupt": interrupt,
    "queues": show_queues,
    "fleet": show_fleet,
    "launch": show_form,
    "cost": show_cost,
    "backend": use_backend,
    "config": show_config,
    "doctor": show_doctor,
    "help": show_help,
}


def _has_ended(job: Handle, console: Console) -> bool:
    detail = job.detail()
    if detail["status"] not in TERMINAL:
        return False
    console.line(f"nothing to do: {in_words(detail)}")
    return True
