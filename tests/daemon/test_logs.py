"""Pages of log streams, on real files."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.daemon.logs import LONGEST_LINE, MOST_BYTES, LogStore
from nbbatch.errors import ClientException, UnknownNameError

STREAM = "work/default/0123456789abcdef0123456789abcdef"


@pytest.fixture
def logs(tmp_path):
    return LogStore(tmp_path / "logs")


def write(logs: LogStore, data: bytes, *, at: float | None = None, stream: str = STREAM) -> None:
    """Append as an executor does; `at` is the second of the last write."""
    path = logs._folder / f"{stream}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)
    if at is not None:
        os.utime(path, (at, at))


def messages(page) -> list[str]:
    return [event.message for event in page.events]


def test_the_last_lines_come_without_a_token(logs):
    """Without startFromHead a page is the end of the stream, oldest line first."""
    write(logs, b"one\ntwo\nthree\n")
    assert messages(logs.page(STREAM, limit=2)) == ["two", "three"]
    assert messages(logs.page(STREAM)) == ["one", "two", "three"]


def test_the_first_lines_come_from_the_head(logs):
    """With startFromHead a page is the beginning of the stream."""
    write(logs, b"one\ntwo\nthree\n")
    page = logs.page(STREAM, start_from_head=True, limit=2)
    assert messages(page) == ["one", "two"]
    assert messages(logs.page(STREAM, token=f"f/{page.end}")) == ["three"]
    assert messages(logs.page(STREAM, token=f"b/{page.end}", limit=1)) == ["two"]


def test_at_either_end_the_same_token_comes_back(logs):
    """A client that pages until the token repeats comes to an end, and sees what is written later."""
    write(logs, b"one\n")
    end = logs.page(STREAM).end
    assert (logs.page(STREAM, token=f"f/{end}").events, logs.page(STREAM, token=f"f/{end}").end) == ((), end)
    assert (logs.page(STREAM, token="b/0").events, logs.page(STREAM, token="b/0").start) == ((), 0)
    write(logs, b"two\n")
    assert messages(logs.page(STREAM, token=f"f/{end}")) == ["two"]


def test_a_last_line_is_held_back_until_it_is_whole_or_the_stream_is(logs):
    """A line still being written does not come in two halves."""
    write(logs, b"one\ntw")
    for head in (True, False):
        assert messages(logs.page(STREAM, start_from_head=head, is_complete=False)) == ["one"]
        assert messages(logs.page(STREAM, start_from_head=head, is_complete=True)) == ["one", "tw"]
    end = logs.page(STREAM, is_complete=False).end
    write(logs, b"o\n")
    assert messages(logs.page(STREAM, token=f"f/{end}", is_complete=False)) == ["two"]


def test_nothing_is_shown_of_a_single_unfinished_line(logs):
    """A stream whose only line is unfinished looks empty from both ends."""
    write(logs, b"on")
    for head in (True, False):
        page = logs.page(STREAM, start_from_head=head, is_complete=False)
        assert (page.events, page.start, page.end) == ((), 0, 0)


def test_empty_lines_are_lines(logs):
    """Blank lines of a notebook's output are kept."""
    write(logs, b"a\n\n\nb\n")
    assert messages(logs.page(STREAM)) == ["a", "", "", "b"]
    assert messages(logs.page(STREAM, start_from_head=True)) == ["a", "", "", "b"]


def test_bytes_that_are_no_text_are_replaced(logs):
    """Any bytes make a page."""
    write(logs, b"caf\xc3\xa9 \xff\xfe\n")
    assert messages(logs.page(STREAM)) == ["café \ufffd\ufffd"]


def test_a_long_line_comes_in_pieces(logs):
    """A line over 256 KiB is several events, and no character is cut."""
    text = "ä" * LONGEST_LINE
    write(logs, b"x" + text.encode() + b"\nend\n")
    page = logs.page(STREAM, start_from_head=True)
    assert "".join(messages(page)) == "x" + text + "end"
    assert max(len(message.encode()) for message in messages(page)) <= LONGEST_LINE
    assert "\ufffd" not in "".join(messages(page))
    assert messages(logs.page(STREAM, limit=1)) == ["end"]


def test_a_page_holds_at_most_a_mebibyte(logs):
    """Lines that do not fit wait for the next page, in both directions."""
    line = b"y" * 100_000 + b"\n"
    write(logs, line * 25)
    for direction, first in (("f", 0), ("b", len(line) * 25)):
        token, seen = f"{direction}/{first}", 0
        while True:
            page = logs.page(STREAM, token=token)
            if not page.events:
                break
            assert sum(len(message) for message in messages(page)) <= MOST_BYTES
            seen += len(page.events)
            token = f"{direction}/{page.end if direction == 'f' else page.start}"
        assert seen == 25


def test_an_endless_line_can_be_read_backwards(logs):
    """A line far over a page's size neither hangs nor loses bytes."""
    write(logs, b"z" * (3 * MOST_BYTES + 5))
    token, seen = f"b/{3 * MOST_BYTES + 5}", 0
    while (page := logs.page(STREAM, token=token)).events:
        seen += sum(len(message) for message in messages(page))
        token = f"b/{page.start}"
    assert seen == 3 * MOST_BYTES + 5


LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=30)


@given(lines=LINES, limit=st.integers(1, 7), forward=st.booleans(), whole=st.booleans())
def test_pages_give_every_line_once(tmp_path_factory, lines, limit, forward, whole):
    """Paging from either end shows every line exactly once and in order."""
    logs = LogStore(tmp_path_factory.mktemp("logs"))
    write(logs, b"".join(line + b"\n" for line in lines) + (b"" if whole else b"tail"))
    expected = [line.decode(errors="replace") for line in lines] + ([] if whole else ["tail"])
    token, seen = None, []
    while (page := logs.page(STREAM, token=token, start_from_head=forward, limit=limit)).events:
        assert len(page.events) <= limit
        seen = seen + messages(page) if forward else messages(page) + seen
        token = f"f/{page.end}" if forward else f"b/{page.start}"
    assert seen == expected


def test_times_follow_the_looks_at_a_growing_stream(logs):
    """A line's time lies between the looks around it, never runs backwards, and survives a restart."""
    write(logs, b"a\n", at=1000)
    logs.page(STREAM, started_at=998_000)
    write(logs, b"b\nc\n", at=1010)
    logs.size(STREAM)
    write(logs, b"d\n", at=1030)
    times = [event.timestamp for event in logs.page(STREAM).events]
    assert times == [1_000_000, 1_005_000, 1_010_000, 1_030_000]
    again = LogStore(logs._folder)
    assert [event.timestamp for event in again.page(STREAM).events] == times
    assert all(event.ingestion_time >= event.timestamp for event in again.page(STREAM).events)


def test_a_stream_nobody_looked_at_is_timed_by_its_start_and_its_last_write(logs):
    """Without notes, lines spread from the attempt's start to the file's last change."""
    write(logs, b"a\nb\n", at=1000)
    fresh = LogStore(logs._folder)
    assert [event.timestamp for event in fresh.page(STREAM, started_at=990_000).events] == [
        995_000,
        1_000_000,
    ]


def test_a_range_of_time_selects_lines(logs):
    """Lines from startTime on and before endTime come, from both ends."""
    for second in range(10):
        write(logs, f"line {second}\n".encode(), at=1000 + second * 10)
        logs.page(STREAM, started_at=990_000)
    for head in (True, False):
        page = logs.page(STREAM, start_from_head=head, start_time=1_020_000, end_time=1_050_000)
        assert messages(page) == ["line 2", "line 3", "line 4"]
        assert messages(logs.page(STREAM, start_from_head=head, start_time=1_080_000)) == ["line 8", "line 9"]
        assert messages(logs.page(STREAM, start_from_head=head, end_time=1_010_000)) == ["line 0"]
        assert messages(logs.page(STREAM, start_from_head=head, start_time=2_000_000)) == []
        assert messages(logs.page(STREAM, start_from_head=head, end_time=5)) == []


def test_size_is_what_was_written(logs):
    """The size of a stream is 0 until it is written to."""
    assert logs.size(STREAM) == 0
    write(logs, b"12345")
    assert logs.size(STREAM) == 5


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", "a\0b", "..", "a/", "a/" + "b" * 300]
)
def test_no_name_leaves_the_folder(logs, name):
    """Names that would reach out of the folder are refused, for writing and for reading."""
    for call in (logs.path, logs.size, logs.page):
        with pytest.raises(ClientException, match="valid pattern"):
            call(name)


def test_an_unknown_stream_is_told_apart(logs):
    """A stream without a file is unknown, whatever part of its name exists."""
    write(logs, b"x")
    for name in ("work/default/other", "work", f"{STREAM}.log/deeper", f"{STREAM}/deeper"):
        with pytest.raises(UnknownNameError, match="does not exist"):
            logs.page(name)


@pytest.mark.parametrize("token", ["", "f", "f/", "x/1", "f/-1", "f/1x", "b/ 1", "f/²"])
def test_a_bad_token_is_refused(logs, token):
    """Only tokens that a page gave are taken."""
    write(logs, b"x\n")
    with pytest.raises(ClientException, match="nextToken"):
        logs.page(STREAM, token=token)


def test_a_token_beyond_the_end_shows_nothing(logs):
    """A token from before the stream was replaced does not fail."""
    write(logs, b"x\n")
    assert logs.page(STREAM, token="f/999").events == ()
    assert messages(logs.page(STREAM, token="b/999")) == ["x"]


def test_folders_are_private(logs):
    """Streams can be read by their owner only."""
    folder = Path(logs.path(STREAM)).parent
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent, folder.parent.parent)] == [
        0o700
    ] * 3


def test_a_stream_was_empty_when_its_path_was_asked_for(logs):
    """An executor asks for the path before it starts an attempt: no line is older than that."""
    before = time.time_ns() // 1_000_000
    with Path(logs.path(STREAM)).open("ab") as file:
        file.write(b"a\n")
    assert before <= logs.page(STREAM).events[0].timestamp <= time.time_ns() // 1_000_000
