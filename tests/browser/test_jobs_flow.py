"""Jobs in JupyterLab's sidebar, from the list to their end: watched, stopped, retried, read."""

from __future__ import annotations

import time

import pytest

from .conftest import crowd

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]


def talk(path):
    """Says a line whenever a file has one more, until the file says `end`."""
    said = 0
    while True:
        with open(path) as script:  # noqa: PTH123 - what is sent is as small as it can be
            lines = script.read().split()
        for line in lines[said:]:
            print("heard", line, flush=True)  # noqa: T201 - is the log
        said = len(lines)
        if "end" in lines:
            return said
        time.sleep(0.05)


def gated(item):
    """Waits for a file, then fails for odd numbers as long as the file is empty."""
    import pathlib

    number, path = item
    while not pathlib.Path(path).exists():
        time.sleep(0.05)
    print("child", number, "went on", flush=True)  # noqa: T201 - is the log
    if number % 2 and not pathlib.Path(path).read_text():
        raise ValueError(number)
    return number


def test_an_array_is_watched_to_its_end_and_its_failed_children_are_retried(flow, tmp_path):
    """List and detail follow its children; a child is chosen and read; a retry takes the failed ones alone."""
    import nbbatch

    gate = tmp_path / "gate"
    array = nbbatch.map(
        gated, [(number, str(gate)) for number in range(6)], name="halves", chunk=1, vcpus=0.25, memory="256M"
    )
    flow.open("jobs")
    row = flow.job(array.id)
    row.get_by_text("0 of 6 done").wait_for()
    row.dblclick()
    detail = flow.detail(array.id)
    detail.locator(".nb-Legend").get_by_text("6 RUNNING").wait_for()
    assert flow.page.evaluate("() => getSelection().toString()") == ""
    flow.picture("running")
    gate.touch()
    row.get_by_text("FAILED (children failed)").wait_for()
    assert row.locator("svg.nb-Strip rect").count() == 2
    detail.locator("[data-part='failures'] button").nth(2).wait_for()
    detail.locator("[data-part='failures'] button").nth(1).click()
    detail.locator("[data-child='3']").get_by_text("FAILED").wait_for()
    flow.picture("failed")
    gate.write_text("well")
    detail.get_by_role("button", name="Retry failed items").click()
    again = flow.page.locator("[data-job]").first
    again.get_by_text("SUCCEEDED", exact=True).wait_for()
    assert again.locator(".nb-Job-badge").inner_text().endswith(" 3")
    assert again.get_attribute("data-job") != array.id


def test_a_log_grows_before_the_eyes_and_a_child_of_an_array_has_its_own(flow, tmp_path):
    """New lines come by themselves; a search finds them; of an array a child is chosen by its index."""
    import nbbatch

    script, gate = tmp_path / "script", tmp_path / "gate"
    script.write_text("one ")
    gate.write_text("open")
    job = nbbatch.submit(talk, str(script), name="talker", vcpus=0.25, memory="256M")
    array = nbbatch.map(
        gated, [(number, str(gate)) for number in range(4)], name="quiet", chunk=1, vcpus=0.25, memory="256M"
    )
    flow.command("nbbatch:open-log", id=job.id)
    log = flow.log(job.id)
    log.locator("[data-line]").get_by_text("heard one").wait_for()
    for word in ("two", "three"):
        with script.open("a") as file:
            file.write(f"{word} ")
        log.locator("[data-line]").get_by_text(f"heard {word}").wait_for()
    log.get_by_role("searchbox").fill("THREE")
    log.get_by_text("1", exact=True).first.wait_for()
    flow.picture("following")
    with script.open("a") as file:
        file.write("end ")
    log.locator("[data-line]").get_by_text("heard end").wait_for()
    array.wait()
    flow.command("nbbatch:open-log", id=array.id)
    log = flow.log(array.id)
    log.get_by_text("Each child has a log of its own").wait_for()
    log.get_by_label("Child").fill("2")
    log.locator("[data-line]").get_by_text("child 2 went on").wait_for()


def test_jobs_are_cancelled_and_terminated_with_a_reason_and_retried(flow):
    """Why somebody stopped a job stays with it; the list tells both ends apart; a retry is a job of its own."""
    import nbbatch

    running = nbbatch.submit(time.sleep, 600, name="runs", vcpus=0.25, memory="256M")
    flow.open("jobs")
    flow.job(running.id).get_by_text("RUNNING").wait_for()
    others = crowd()
    waiting = nbbatch.submit(time.sleep, 1, name="waits", vcpus=0.25, memory="256M")
    flow.job(waiting.id).get_by_text("RUNNABLE").wait_for()
    _stop(flow, waiting.id, "Cancel", "Cancel the Job", "not needed")
    flow.job(waiting.id).get_by_text("FAILED (cancelled)").wait_for()
    _stop(flow, running.id, "Terminate", "Terminate", "too slow")
    flow.job(running.id).get_by_text("FAILED (terminated)").wait_for()
    others.terminate("the test goes on")
    for job, reason in ((waiting, "not needed"), (running, "too slow")):
        flow.job(job.id).dblclick()
        flow.detail(job.id).get_by_text(reason).first.wait_for()
    flow.detail(running.id).get_by_role("button", name="Retry").click()
    again = flow.page.locator("[data-job]").first
    again.get_by_text("RUNNING").wait_for()
    assert again.get_attribute("data-job") not in (running.id, waiting.id)
    nbbatch.job(again.get_attribute("data-job")).terminate("the test is over")


def _stop(flow, job_id, act, yes, reason):
    flow.job(job_id).hover()
    flow.job(job_id).get_by_role("button", name=f"{act}: ").click()
    dialog = flow.page.locator(".jp-Dialog")
    dialog.get_by_role("textbox").fill(reason)
    flow.picture(act)
    dialog.get_by_role("button", name=yes, exact=True).click()
    dialog.wait_for(state="detached")


def test_a_reload_restores_section_filters_and_documents(flow):
    """What was open is open again, and the list goes on to follow its jobs."""
    import nbbatch

    job = nbbatch.submit(print, "kept", name="kept", vcpus=0.25, memory="256M")
    job.result()
    section = flow.open("jobs")
    section.get_by_role("searchbox").fill("kep")
    section.locator("[data-filter='status']").select_option("SUCCEEDED")
    flow.job(job.id).wait_for()
    flow.command("nbbatch:open-job", id=job.id)
    flow.detail(job.id).locator("[data-phase='idle']").wait_for()
    with flow.saving(f"nbbatch-log--{job.id}", f"nbbatch-detail--{job.id}", '"section":"costs"'):
        flow.command("nbbatch:open-log", id=job.id)
        flow.log(job.id).locator("[data-line]").get_by_text("kept").wait_for()
        flow.open("costs").wait_for()
    flow.page.reload()
    flow.ready()
    flow.page.locator("[data-section='costs']").get_by_text("today").first.wait_for()
    flow.log(job.id).locator("[data-line]").get_by_text("kept").wait_for()
    section = flow.open("jobs")
    flow.job(job.id).wait_for()
    assert section.get_by_role("searchbox").input_value() == "kep"
    flow.page.get_by_role("tab", name="kept", exact=True).click()
    flow.detail(job.id).locator("[data-phase='idle']").wait_for()
    late = nbbatch.submit(print, "later", name="kept-too", vcpus=0.25, memory="256M")
    flow.job(late.id).get_by_text("SUCCEEDED").wait_for()
