import asyncio

from nbbatch.daemon import watch as module
from nbbatch.daemon.watch import Watch


class Streams(dict):
    def __call__(self, stream: str) -> int:
        return self.get(stream, 0)


def new_watch(start: int = 1000) -> tuple[Watch, Streams]:
    streams = Streams()
    return Watch(start, streams), streams


async def test_the_first_question_is_answered_at_once():
    """Without a cursor all jobs count as changed."""
    watch, _ = new_watch()
    assert await watch.wait(None, ["a", "b:1"], {}, 30) == (1000, ["a", "b:1"], [])
    assert await watch.wait(None, [], {}, 30) == (1000, [], [])


async def test_nothing_changed_until_the_time_is_over():
    """An empty answer with the same cursor."""
    watch, _ = new_watch()
    assert await watch.wait(1000, ["a"], {"s": 0}, 0.01) == (1000, [], [])


async def test_a_change_wakes_who_waits_for_it():
    """A child changes with its array, other jobs do not wake."""
    watch, _ = new_watch()
    waiting = asyncio.create_task(watch.wait(1000, ["a:3", "b"], {}, 30))
    other = asyncio.create_task(watch.wait(1000, ["c"], {}, 30))
    await asyncio.sleep(0)
    watch.note({"a"})
    assert await waiting == (1001, ["a:3"], [])
    assert not other.done()
    watch.close()
    assert await other == (1001, [], [])


async def test_a_change_between_two_questions_is_not_missed():
    """The cursor tells what the caller has not seen."""
    watch, _ = new_watch()
    watch.note({"a"})
    watch.note({"b"})
    assert (await watch.wait(1000, ["a", "b", "c"], {}, 30)).changed == ["a", "b"]
    assert (await watch.wait(1001, ["a", "b", "c"], {}, 30)).changed == ["b"]
    assert (await watch.wait(1002, ["a", "b", "c"], {}, 0)).changed == []


async def test_a_cursor_of_another_daemon_means_everything_changed():
    """From before a restart, or from nowhere."""
    watch, _ = new_watch()
    for cursor in (999, 1001, -5, 10**30):
        assert (await watch.wait(cursor, ["a"], {}, 30)).changed == ["a"]


async def test_memory_is_bounded_and_forgetting_is_safe(monkeypatch):
    """Who asks from before what is remembered is told that all changed."""
    monkeypatch.setattr(module, "REMEMBERED", 10)
    watch, _ = new_watch()
    for number in range(25):
        watch.note({f"j{number}"})
    assert len(watch._changes) == 10
    assert (await watch.wait(1005, ["j24", "never"], {}, 30)).changed == ["j24", "never"]
    assert (await watch.wait(1015, ["j14", "j20", "never"], {}, 30)).changed == ["j20"]


async def test_a_stream_that_grows_wakes():
    """Soon after, without the loop knowing; one that has more already answers at once."""
    watch, streams = new_watch()
    waiting = asyncio.create_task(watch.wait(1000, ["a"], {"s": 3, "t": 0}, 30))
    await asyncio.sleep(0)
    streams["s"] = 4
    assert await asyncio.wait_for(waiting, 60) == (1000, [], ["s"])
    assert (await watch.wait(1000, [], {"s": 3}, 30)).grown == ["s"]


async def test_waiters_leave_no_trace():
    """Answered, timed out or cancelled."""
    watch, _ = new_watch()
    await watch.wait(1000, ["a"], {}, 0.001)
    waiting = asyncio.create_task(watch.wait(1000, ["a"], {}, 30))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not watch._waiters
