"""A video pipeline: a film is cut into pieces, all pieces are made small at once, then joined again.

`python examples/video_pipeline.py [FILM]` needs ffmpeg where the jobs run: `apt install ffmpeg` on
Debian and Ubuntu, `brew install ffmpeg` on a Mac, or NBBATCH_IMAGE with a container image that has it
and python3. Without a film ffmpeg draws one of twelve seconds. Each step is a script in an
empty folder, which knows of the others only by the files that it gets and leaves; the film's
pieces are an array job, so on a larger machine or in AWS as many are at work as there is room for.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbbatch as nb
from nbbatch.errors import JobFailedError

DRAW = """
ffmpeg -v error -f lavfi -i testsrc2=size=640x360:rate=25:duration=12 \\
    -f lavfi -i sine=frequency=440:duration=12 -c:v mpeg4 -q:v 4 -g 25 -c:a aac film.mp4
"""
CUT = "ffmpeg -v error -i film.mp4 -c copy -f segment -segment_time 3 -reset_timestamps 1 piece-%02d.mkv"
SHRINK = "ffmpeg -v error -i $ITEM -vf scale=320:-2 -c:v mpeg4 -q:v 6 -c:a aac small.mkv"
JOIN = """
printf "file '%s'\\n" small-*.mkv >pieces.txt
ffmpeg -v error -f concat -safe 0 -i pieces.txt -c copy -y small.mp4
ffprobe -v error -show_entries format=duration -of csv=p=0 small.mp4
"""
NO_FFMPEG = """There is no ffmpeg where the jobs run. Install it (apt install ffmpeg, brew install ffmpeg),
or name a container image that has ffmpeg and python3: NBBATCH_IMAGE=... python examples/video_pipeline.py"""
COMMAND_NOT_FOUND = 127


def run(text: str, *, name: str, files: dict[str, Path], fetch: str, to: Path) -> Any:
    """One step: its files go along, those that it leaves come to a folder."""
    job = nb.script(text, name=name, files=files, fetch=fetch, fetch_to=str(to), memory="1G")
    try:
        return job.result()
    except JobFailedError as error:
        if error.exit_code == COMMAND_NOT_FOUND:
            sys.exit(NO_FFMPEG)
        raise


def shrink(pieces: list[Path], *, to: Path) -> list[Path]:
    """Make all pieces small, each in a child of one array job."""
    array = nb.script(
        SHRINK,
        name="shrink",
        items=[piece.name for piece in pieces],
        chunk=1,
        files={piece.name: piece for piece in pieces},
        fetch="small.mkv",
        fetch_to=str(to),
        memory="1G",
    )
    array.results()
    return [to / "shrink" / str(number) / "small.mkv" for number in range(len(pieces))]


def kilobytes(files: list[Path]) -> str:
    """Their size together."""
    return f"{sum(file.stat().st_size for file in files) / 1000:,.0f} kB"


def main(film: Path | None = None) -> None:
    """Shrink a film, and say what each step made of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if film is None:
            [film] = run(DRAW, name="draw", files={}, fetch="film.mp4", to=folder).files
            print(f"draw    a test film, {kilobytes([film])}")
        pieces = sorted(run(CUT, name="cut", files={"film.mp4": film}, fetch="piece-*.mkv", to=folder).files)
        print(f"cut     {len(pieces)} pieces, {kilobytes(pieces)}")
        small = shrink(pieces, to=folder)
        print(f"shrink  {len(small)} pieces, {kilobytes(small)}")
        parts = {f"small-{number:02}.mkv": part for number, part in enumerate(small)}
        done = run(JOIN, name="join", files=parts, fetch="small.mp4", to=Path.cwd())
        print(f"join    {done.files[0].name}: {float(done.output):.1f} s, {kilobytes(list(done.files))}")


if __name__ == "__main__":
    main(*(Path(word).resolve() for word in sys.argv[1:2]))
