"""Map-reduce as genomes are counted: k-mers of many pieces side by side, then one job that adds up.

`python examples/kmer_map_reduce.py [FASTA]` counts the words of eight letters in a genome; without a
file it makes one with a hidden motif. The pieces overlap by seven letters, so that no word is lost
between two. The array's handle is an argument of the reducing job, which makes it a dependency: the job starts
when all pieces are counted, whether or not this program still runs, and gets what they returned.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import nbbatch as nb

K = 8
PIECE = 50_000
MOTIF = "GATTACAG"


def count(piece: str) -> Counter[str]:
    """How often each k-mer occurs in a piece; unknown letters belong to none."""
    words = (piece[start : start + K] for start in range(len(piece) - K + 1))
    return Counter(word for word in words if set(word) <= set("ACGT"))


def add_up(pieces: list[Counter[str]]) -> list[tuple[str, int]]:
    """The most frequent k-mers over all pieces."""
    total: Counter[str] = Counter()
    for counted in pieces:
        total.update(counted)
    return total.most_common(5)


def genome() -> str:
    """A million letters by chance, and a motif that chance would not bring so often."""
    draw = random.Random(4)  # noqa: S311 - a simulation, not a secret
    letters = draw.choices("ACGT", k=1_000_000)
    for start in draw.sample(range(len(letters) - K), 400):
        letters[start : start + K] = MOTIF
    return "".join(letters)


def read_fasta(path: Path) -> str:
    """All sequences of a file, N between them."""
    lines = path.read_text().splitlines()
    return "".join("N" if line.startswith(">") else line.strip().upper() for line in lines)


def main() -> None:
    """Count, add up, and tell the most frequent words."""
    sequence = read_fasta(Path(sys.argv[1])) if len(sys.argv) > 1 else genome()
    pieces = [sequence[start : start + PIECE + K - 1] for start in range(0, len(sequence), PIECE)]
    counted = nb.map(count, pieces, name="count", memory="512M")
    print(f"{len(pieces)} pieces, {len(sequence):,} letters")
    for word, times in nb.submit(add_up, counted, name="add-up").result():
        print(f"{word} {times:5}{'  <- hidden' if word == MOTIF and len(sys.argv) == 1 else ''}")


if __name__ == "__main__":
    main()
