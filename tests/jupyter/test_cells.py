"""`%%batch` in a shell of IPython's own, against a real daemon."""

from __future__ import annotations

import os
import re
import signal
import threading

import pytest
from docker_image import MINOR

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.errors import (
    AccessDeniedError,
    DependencyFailedError,
    JobFailedError,
    NbbatchError,
    RemoteError,
    UnknownNameError,
    UserError,
)
from nbbatch.jupyter.waiting import DetachedError


def run(shell, cell):
    """Run a cell, raise what it raised."""
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


def test_a_cell_runs_as_a_job_and_its_results_come_home(batch_shell, capsys):
    """The story is told, output appears, variables are assigned, `_` is the last value."""
    run(batch_shell, "x = 20\ndef f(a):\n    return a + 1")
    run(batch_shell, "%%batch\nprint('from the job', x)\ny = f(x)\ny * 2")
    said = capsys.readouterr().out
    assert "nbbatch › sends x" in said
    assert "1 function" in said
    assert "back: y" in said
    assert "queue default (local, process)" in said
    assert "from the job 20\n" in said
    assert re.search(r"nbbatch › SUCCEEDED in .* · used .* · .* on demand", said)
    assert "42" in said
    assert (batch_shell.user_ns["y"], batch_shell.user_ns["_"]) == (21, 42)


def test_a_failed_cell_raises_with_the_cell_s_own_lines(batch_shell, capsys):
    """The error is raised, not printed, and its traceback counts lines as the notebook does."""
    with pytest.raises(RemoteError) as caught:
        run(batch_shell, "%%batch\nz = 1\n1 / 0")
    assert caught.value.remote_type == "ZeroDivisionError"
    assert "line 3" in caught.value.remote_traceback
    assert "1 / 0" in caught.value.remote_traceback
    said = capsys.readouterr().out
    assert said.count("Traceback") == 1
    assert "%batch logs" in said
    assert "nbbatch/" not in said
    assert "z" not in batch_shell.user_ns


def test_a_traceback_that_is_no_failure_is_shown(batch_shell, capsys):
    """A cell that prints a traceback as its last words and succeeds has it in its output."""
    run(
        batch_shell,
        "%%batch\nimport traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()",
    )
    assert capsys.readouterr().out.count("ZeroDivisionError: division by zero") == 1


def test_a_script_runs_and_its_exit_code_raises(batch_shell, capsys):
    """--lang bash runs the cell as a script."""
    run(batch_shell, "%%batch --lang bash --env GREETING='hello world'\necho $GREETING {x}")
    assert "hello world {x}" in capsys.readouterr().out
    with pytest.raises(JobFailedError, match="code 3"):
        run(batch_shell, "%%batch --lang bash\nexit 3")


def test_named_inputs_and_outputs_are_the_only_ones(batch_shell):
    """--in and --out send and bring back what they name."""
    run(batch_shell, "a, b = 1, 2")
    run(batch_shell, "%%batch --in a --out c\nc = a\nd = a")
    assert batch_shell.user_ns["c"] == 1
    assert "d" not in batch_shell.user_ns
    with pytest.raises(RemoteError, match="NameError"):
        run(batch_shell, "%%batch --in a\na + b")


def test_credentials_stay_here_unless_named(batch_shell, capsys):
    """What looks like a credential is held back, named with the option that sends it."""
    run(batch_shell, "api_key = 'sk-1234567890abcdef'")
    run(batch_shell, "%%batch\nk = 'api_key' in globals()")
    with pytest.raises(RemoteError, match="NameError"):
        run(batch_shell, "%%batch\nk = api_key")
    assert "--in api_key" in capsys.readouterr().out
    run(batch_shell, "%%batch --in api_key\nk = api_key")
    assert batch_shell.user_ns["k"].startswith("sk-")


def test_an_array_gathers_its_results(batch_shell, capsys):
    """Each out name becomes the list over the items; rows become a table."""
    run(batch_shell, "base = 10")
    run(batch_shell, "%%batch --array [3, 1, 2] --item k\ns = base + k\n{'k': k, 's': s}")
    said = capsys.readouterr().out
    assert "array of 3 items" in said
    assert "SUCCEEDED: 3 items" in said
    assert batch_shell.user_ns["s"] == [13, 11, 12]
    assert list(batch_shell.user_ns["_"]["s"]) == [13, 11, 12]


def test_a_failed_array_says_which_inputs_failed(batch_shell, capsys):
    """The error counts and names failed items; the others' values stay reachable by the handle."""
    with pytest.raises(RemoteError, match=r"1 of 3 items failed: item 1 \(0\)") as caught:
        run(batch_shell, "%%batch --array [1, 0, 2] --item k --name divide\n1 / k")
    assert "ZeroDivisionError" in caught.value.remote_traceback
    assert "return_exceptions=True" in caught.value.cure
    run(batch_shell, "import nbbatch")
    run(batch_shell, f"values = nbbatch.job({caught.value.job_id!r}).results(return_exceptions=True)")
    values = batch_shell.user_ns["values"]
    assert (values[0], values[2]) == (1.0, 0.5)


def test_a_wholly_failed_array_speaks_of_no_other_values(batch_shell):
    """Where no item has a value, the error names an item's log, not the values of others."""
    with pytest.raises(RemoteError, match="2 of 2 items failed") as caught:
        run(batch_shell, "%%batch --array [0, 0] --item k\n1 / k")
    assert "others" not in caught.value.cure
    assert "%batch logs" in caught.value.cure


def test_an_array_of_one_item_is_an_array(batch_shell):
    """A single item gathers into a list of one."""
    run(batch_shell, "%%batch --array [7]\nsquare = item * item")
    assert batch_shell.user_ns["square"] == [49]


def test_a_detached_cell_is_attached_later(batch_shell, capsys):
    """--as binds the handle and goes on; attach brings output and variables."""
    run(batch_shell, "%%batch --as job\nprint('over there')\nfar = 5\nfar + 1")
    assert "far" not in batch_shell.user_ns
    assert "%batch attach" in capsys.readouterr().out
    run(batch_shell, "%batch attach job")
    said = capsys.readouterr().out
    assert "over there" in said
    assert "SUCCEEDED" in said
    assert (batch_shell.user_ns["far"], batch_shell.user_ns["_"]) == (5, 6)


def test_attach_takes_the_beginning_of_an_id_and_names(batch_shell):
    """A handle is found by a shortened id, and --out limits what is assigned."""
    run(batch_shell, "%%batch --as job\nleft, right = 1, 2")
    job_id = batch_shell.user_ns["job"].id
    run(batch_shell, f"%batch attach {job_id[:8]} --out left")
    assert batch_shell.user_ns["left"] == 1
    assert "right" not in batch_shell.user_ns


def test_detach_gives_the_handle(batch_shell):
    """--detach shows the handle as the cell's value."""
    handle = run(batch_shell, "%%batch --detach\n1").result
    assert handle.result(60) == 1


def test_a_job_waits_for_the_one_it_depends_on(batch_shell):
    """--depends takes a variable of a handle; a failed dependency is told as such."""
    run(batch_shell, "%%batch --as first\nraise SystemExit(3)")
    with pytest.raises(NbbatchError, match="depends on failed"):
        run(batch_shell, "%%batch --depends first\n1")


def test_a_handle_in_a_cell_is_its_value_and_is_waited_for(batch_shell, capsys):
    """As an argument of `submit` would be; the receipt says so, and how to have the handle itself."""
    run(batch_shell, "import nbbatch\ndef slowly(x):\n    import time; time.sleep(0.3); return x * 2")
    run(batch_shell, "job = nbbatch.submit(slowly, 21)\narr = nbbatch.map(slowly, [1, 2], chunk=1)")
    run(batch_shell, "%%batch --as after\ntotal = job + sum(arr)\ntotal")
    job, arr, after = (batch_shell.user_ns[name] for name in ("job", "arr", "after"))
    assert after.result(60) == 48
    assert {one["jobId"] for one in after.detail()["dependsOn"]} == {job.id, arr.id}
    said = capsys.readouterr().out
    assert f"job is the value of job {job.id[:8]} (slowly), which the cell waits for" in said
    assert "--keep-handles sends the handle itself" in said
    run(batch_shell, "%%batch\nboth = [job, 1]\nboth")
    assert batch_shell.user_ns["both"] == [42, 1]
    run(batch_shell, "%%batch --local\njob + 1")
    assert batch_shell.user_ns["_"] == 43
    run(batch_shell, "%%batch --keep-handles\nkind = type(job).__name__")
    assert batch_shell.user_ns["kind"] == "Job"


def test_a_cell_like_an_earlier_job(batch_shell):
    """By the variable of its handle, right-sized where that is asked for, or by its id."""
    run(batch_shell, "%%batch --as first --vcpus 2 --memory 3G --env A=1\n1")
    first = batch_shell.user_ns["first"]
    assert first.result(60) == 1
    asked = []
    for like in ("first", first.id[:8], "first.resized()"):
        run(batch_shell, f"%%batch --as next --like {like}\n2")
        container = batch_shell.user_ns["next"].detail()["container"]
        asked.append({one["type"]: one["value"] for one in container["resourceRequirements"]})
    assert asked[0] == asked[1] == {"VCPU": "2", "MEMORY": "3072"}
    assert int(asked[2]["MEMORY"]) < 3072


def test_a_dry_run_needs_no_credentials(batch_shell, capsys, monkeypatch, tmp_path):
    """The cost is the catalogue's, and it says what could not be checked."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    (tmp_path / "nbbatch.toml").write_text(
        '[backends.prod]\nkind = "aws"\nregion = "eu-central-1"\nqueue = "jobs"\nstore = "s3://bucket/x"\n'
        f'image = "python:{MINOR}"\njob_role = "worker"\n'
    )
    monkeypatch.chdir(tmp_path)
    run(batch_shell, "%%batch --backend prod --dry-run --timeout 2h --vcpus 2\n1 + 1")
    said = capsys.readouterr().out
    assert "queue jobs (prod, aws, eu-central-1)" in said
    assert re.search(r"cost on demand: \$0\.\d+/h, at worst \$0\.\d+", said)
    assert "not checked: queue jobs, so prices are those of any EC2 host of the catalogue (" in said
    assert "not checked: earlier runs" in said
    assert said.rstrip().endswith("dry run: nothing was sent")
    with pytest.raises(AccessDeniedError):
        run(batch_shell, "%%batch --backend prod\n1 + 1")


def test_a_detached_cell_feeds_the_estimate_of_the_next(batch_shell, capsys):
    """Whoever sees its end keeps what it took, once."""
    cell = "import time\ntime.sleep(0.2)\n'detached for history'"
    run(batch_shell, f"%%batch --as later\n{cell}")
    assert "est." not in capsys.readouterr().out
    later = batch_shell.user_ns["later"]
    for _ in range(2):
        assert nbbatch.job(later.id).result(60) == "detached for history"
    run(batch_shell, f"%%batch --as again\n{cell}")
    assert re.search(r"est\. \$\S+: .* in the last run", capsys.readouterr().out)
    assert batch_shell.user_ns["again"].wait(60)


def _interrupt(**_):
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_while_packing_says_that_nothing_was_sent(batch_shell, capsys):
    """There is no job then."""

    class Slow:
        def __reduce__(self):
            _interrupt()
            return int, ()

    batch_shell.user_ns["slow"] = Slow()
    before = len(nbbatch.jobs())
    with pytest.raises(DetachedError, match="nothing was sent"):
        run(batch_shell, "%%batch\nslow")
    assert "interrupted: nothing was sent" in capsys.readouterr().out
    assert len(nbbatch.jobs()) == before


@pytest.mark.parametrize("moment", ["before-send.batch.SubmitJob", "after-call.batch.SubmitJob"])
def test_an_interrupt_while_the_job_is_sent_detaches(batch_shell, capsys, moment):
    """The job may have arrived already: the cell waits until it knows, and says how to find it again."""
    run(batch_shell, "%%batch\n1")  # the definition is there
    events = get_backend().batch.meta.events
    events.register(moment, _interrupt, unique_id="once")
    try:
        with pytest.raises(DetachedError, match="goes on without this cell"):
            run(batch_shell, "%%batch --name held\n2")
    finally:
        events.unregister(moment, unique_id="once")
    job = nbbatch.job("held")
    assert f"interrupted: job {job.id[:8]} goes on · %batch attach {job.id[:8]}" in capsys.readouterr().out
    assert job.result(60) == 2


def test_an_interrupt_while_the_result_comes_says_that_the_job_has_ended(batch_shell, capsys, monkeypatch):
    """Not that it goes on; the result is brought by the line that is told."""
    cell = """%%batch --name brought
class Late:
    def __reduce__(self):
        return eval, ("__import__('os').environ.pop('ONCE', '') and __import__('signal').raise_signal(2) or 7",)
late = Late()"""
    monkeypatch.setenv("ONCE", "yes")
    with pytest.raises(DetachedError, match="has ended, SUCCEEDED; its result is kept"):
        run(batch_shell, cell)
    name = nbbatch.job("brought").id[:8]
    said = capsys.readouterr().out
    assert f"interrupted: job {name} has ended, SUCCEEDED · %batch attach {name} brings its result" in said
    assert "goes on" not in said
    run(batch_shell, f"%batch attach {name}")
    assert batch_shell.user_ns["late"] == 7


def test_a_cell_that_needs_the_value_of_a_failed_job_is_not_sent(batch_shell):
    """It could never run."""
    run(batch_shell, "import nbbatch\nbroken = nbbatch.submit(int, 'x')\nbroken.wait(60)")
    with pytest.raises(DependencyFailedError, match="whose value is needed, has failed"):
        run(batch_shell, "%%batch\nbroken + 1")


def test_a_cell_that_ran_before_is_answered_from_the_cache(batch_shell, capsys):
    """The same text and inputs under another number; outputs and variables come, and it says whose they are."""
    run(batch_shell, "seventeen = 17")
    run(batch_shell, "%%batch --cache\nprint('said once')\ncached_value = seventeen * 2\ncached_value + 1")
    first = capsys.readouterr().out
    assert "nothing was sent" not in first
    batch_shell.user_ns.pop("cached_value")
    run(batch_shell, "%%batch --cache\nprint('said once')\ncached_value = seventeen * 2\ncached_value + 1")
    said = capsys.readouterr().out
    assert "nothing was sent: Job" in said
    assert "said once" in said
    assert "35" in said
    assert batch_shell.user_ns["cached_value"] == 34
    run(batch_shell, "seventeen = 18")
    run(batch_shell, "%%batch --cache\nprint('said once')\ncached_value = seventeen * 2\ncached_value + 1")
    assert "nothing was sent" not in capsys.readouterr().out
    assert batch_shell.user_ns["cached_value"] == 36


def test_a_dry_run_sends_nothing(batch_shell, capsys):
    """The receipt is told and no job is made."""
    run(batch_shell, "import nbbatch; before = len(nbbatch.jobs()); x = 1")
    run(batch_shell, "%%batch --dry-run\nx + 1")
    assert "nothing was sent" in capsys.readouterr().out
    run(batch_shell, "after = len(nbbatch.jobs())")
    assert batch_shell.user_ns["before"] == batch_shell.user_ns["after"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%batch --queue defalt\n1", "Did you mean default"),
        ("%%batch --memory 4000G\n1", "largest host of queue default"),
        ("%%batch --vcpus 4096\n1", "4096 vCPU"),
        ("%%batch --in nowhere\n1", "nowhere"),
        ("%%batch --array nowhere\n1", "nowhere"),
        ("%%batch --array 5\n1", "5"),
        ("%%batch --array []\n1", "item"),
        ("%%batch --depends nowhere\n1", "nowhere"),
        ("%%batch --backend nowhere\n1", "nowhere"),
        ("%%batch --lang nosuch\n1", "no program 'nosuch'"),
        ("%%batch --lang '\"'\n1", "no command line"),
        ("%%batch --lang bash --in nowhere\n1", "nowhere"),
        ("%%batch --definition nowhere:3\n1", "nowhere:3"),
        ("%%batch --files nowhere.csv\n1", "nowhere.csv"),
        ("%%batch --workdir /nowhere\n1", "/nowhere"),
        ("%%batch --out a\nb = 1", "--out names a"),
        ("%%batch --array [1,2\n1", "[1,2"),
        ("%%batch --array 1/0\n1", "ZeroDivisionError"),
        ("%%batch --preset nowhere\n1", "nowhere"),
        ("%%batch --share blue\n1", "fair share"),
        ("%%batch\ndef f(:", "not Python"),
        ("%batch attach nowhere", "nowhere"),
        ("%batch cancel nowhere", "nowhere"),
        ("%batch queues nowhere", "nowhere"),
        ("%batch backend nowhere", "nowhere"),
        ("%batch jobs --status runing", "runing"),
        ("%batch jobs --since yesterdayish", "yesterdayish"),
        ("%batch cost --days 0", "0"),
        ("%batch cost --days -3", "-3"),
        ("%batch logs nowhere --tail x", "x"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(batch_shell, cell, said):
    """A mistake raises a user's error with its cure; no job is made, and the notebook goes on."""
    before = [row.id for row in nbbatch.jobs()]
    with pytest.raises(UserError) as caught:
        run(batch_shell, cell)
    assert said in str(caught.value)
    assert caught.value.cure
    assert [row.id for row in nbbatch.jobs()] == before
    run(batch_shell, "1 + 1")


@pytest.mark.parametrize("mode", ["Minimal", "Plain", "Context", "Verbose"])
def test_an_error_has_its_lines_in_every_mode(batch_shell, capsys, mode):
    """What is wrong and what to do are lines of their own, whatever `%xmode` says."""
    run(batch_shell, f"%xmode {mode}")
    batch_shell.run_cell("%%batch --queue defalt\n1")
    run(batch_shell, "%xmode Context")
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in said if "defa" in line][-2:] == [
        "UnknownNameError:",
        "nbbatch",
    ]


def test_a_dry_run_tells_the_cost_range_and_the_worst_case(batch_shell, capsys):
    """A cell that ran tells what it will cost again; timeout, retries and the cap make the worst case."""
    cell = "import time\ntime.sleep(0.2)"
    run(batch_shell, f"%%batch --dry-run\n{cell}")
    said = capsys.readouterr().out
    assert "nobody knows how long" in said
    assert "no upper limit" in said
    run(batch_shell, f"%%batch\n{cell}")
    assert "est. $" not in capsys.readouterr().out
    run(batch_shell, f"%%batch --dry-run --timeout 1h --retries 1 --array range(3)\n{cell}")
    said = capsys.readouterr().out
    assert "est. $0.00" in said
    assert "x 3 items" in said
    assert "worst case: timeout of 1 h x 2 attempts x 3 children" in said
    run(batch_shell, f"%%batch --dry-run --max-cost 2\n{cell}")
    assert "at worst $2.00" in capsys.readouterr().out


def test_a_value_that_cannot_travel_is_named(batch_shell):
    """An unpicklable input raises before the job is sent and names variable and attribute."""
    run(batch_shell, "import threading\nclass Box:\n    pass\nbox = Box()\nbox.lock = threading.Lock()")
    with pytest.raises(UserError, match=r"box.*lock"):
        run(batch_shell, "%%batch\nbox")


def test_a_syntax_error_is_the_cell_s_own(batch_shell, capsys):
    """What is not Python is refused here, with the notebook's line number and no frames of ours."""
    with pytest.raises(UserError, match="not Python: invalid syntax in line 2"):
        run(batch_shell, "%%batch\nx ===")
    said = capsys.readouterr().out
    assert "    x ===\n" in said
    assert "nbbatch/" not in said


def test_ipython_syntax_and_await_work(batch_shell, capsys):
    """Shell lines, line magics and top-level await run in the job."""
    run(
        batch_shell, "%%batch\n!echo from a shell\nimport asyncio\nawait asyncio.sleep(0)\n%time 1 + 1\nw = 3"
    )
    said = capsys.readouterr().out
    assert "from a shell" in said
    assert "Wall time" in said
    assert batch_shell.user_ns["w"] == 3


def test_configured_defaults_are_used(batch_shell, capsys):
    """c.BatchMagics.queue is the queue of cells that name none."""
    batch_shell.magics_manager.registry["BatchMagics"].queue = "spot"
    run(batch_shell, "%%batch --dry-run\n1")
    assert "queue spot" in capsys.readouterr().out


def test_help_is_printed(batch_shell, capsys):
    """%%batch -h and %batch show what can be typed."""
    run(batch_shell, "%%batch -h\n1")
    assert "--array ITEMS" in capsys.readouterr().out
    run(batch_shell, "%batch")
    assert "%batch attach ID" in capsys.readouterr().out


def test_unloading_takes_everything_back(batch_shell):
    """The extension can be loaded twice and unloaded."""
    run(batch_shell, "%load_ext nbbatch")
    count = len(batch_shell.Completer.custom_matchers)
    run(batch_shell, "%unload_ext nbbatch")
    assert batch_shell.find_cell_magic("batch") is None
    assert len(batch_shell.Completer.custom_matchers) == count - 1


def test_resize_says_what_would_have_sufficed(batch_shell, capsys):
    """The options for the next run, in one line."""
    run(batch_shell, "%%batch --as sized --vcpus 1 --memory 3G\n1")
    run(batch_shell, "sized.wait(60)")
    batch_shell.run_line_magic("batch", "resize sized")
    assert "instead of --vcpus 1 --memory 3G" in capsys.readouterr().out


def test_a_host_is_taken_back_as_spot_does(batch_shell, capsys):
    """The job gets a notice and ends with AWS's reason; the line names the host."""
    run(batch_shell, "%%batch --as slow --queue spot\nimport time\ntime.sleep(600)")
    slow = batch_shell.user_ns["slow"]
    started = threading.Event()
    slow.on_change(lambda detail: started.set() if detail["status"] == "RUNNING" else None)
    assert started.wait(60)
    run(batch_shell, "%batch interrupt slow --notice 0")
    assert "loses its host" in capsys.readouterr().out
    assert slow.wait(60)
    assert "terminated" in slow.status_reason


@pytest.mark.parametrize(
    ("line", "source", "hint"),
    [
        ("--out scors", "scores = 1", "Did you mean scores?"),
        ("--out zzz", "1", "take it off --out"),
        ("--definition nowhere", "1", "Name one that is registered"),
    ],
)
def test_a_name_that_is_nowhere_is_told_before_anything_is_sent(batch_shell, capsys, line, source, hint):
    """No job runs only to fail at its end."""
    result = batch_shell.run_cell(f"%%batch {line}\n{source}", store_history=True)
    assert isinstance(result.error_in_exec, UnknownNameError)
    assert line.split()[1] in result.error_in_exec.message
    assert hint in result.error_in_exec.cure
    assert "sends" not in capsys.readouterr().out


def test_a_name_may_be_bound_in_ways_that_nobody_sees(batch_shell):
    """`--out` takes what exec assigns, and what goes in by `--in`."""
    run(batch_shell, "%%batch --out made\nexec('ma' + 'de = 5')")
    assert batch_shell.user_ns["made"] == 5


def test_no_magic_of_ipython_is_taken_for_a_variable(batch_shell):
    """A name that is not there is compared with the user's own."""
    with pytest.raises(UnknownNameError, match="Run the cell that defines it first"):
        run(batch_shell, "%%batch --in nope\n1")
