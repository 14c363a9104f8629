"""Split a magic's line into words the way its author meant them.

IPython's own splitter keeps quote marks inside values, and a shell's would eat those of a Python
expression. Here quotes group and vanish as in a shell, but inside brackets everything stays as
written, so `--name "my job" --array ["a", "b"]` needs no second layer of quoting. Nothing is ever
expanded: `$x` and `{x}` reach the job as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nbbatch.errors import OptionError

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def split_line(line: str) -> list[str]:
    r"""Split a line at blanks that are neither quoted nor inside brackets.

    Parameters
    ----------
    line : str
        What stands behind the magic's name.

    Returns
    -------
    list of str
        The words; quote marks outside brackets are gone, `\\"` and `\\ ` stand for themselves.

    Raises
    ------
    OptionError
        When a quote or a bracket is never closed.
    """
    splitter = _Splitter()
    for char in line:
        splitter.take(char)
    return splitter.finish()


def quoted(word: str) -> str:
    """A word so that `split_line` gives it back: as it is where that does, otherwise in quotes."""
    try:
        if split_line(word) == [word]:
            return word
    except OptionError:
        pass
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(slots=True)
class _Splitter:
    """Where the reading stands: the word so far, and what is open around it."""

    words: list[str] = field(default_factory=list)
    word: str = ""
    begun: bool = False
    quote: str = ""
    escaped: bool = False
    brackets: list[str] = field(default_factory=list)

    def take(self, char: str) -> None:
        if self.escaped:
            self._take_escaped(char)
        elif self.quote:
            self._take_quoted(char)
        elif char == "\\":
            self.escaped = True
        elif char in "'\"":
            self._open_quote(char)
        elif char.isspace() and not self.brackets:
            self._end_word()
        else:
            self._take_plain(char)

    def finish(self) -> list[str]:
        if self.quote:
            raise OptionError(
                f"The quote {self.quote} before {_start(self.word)!r} is never closed.",
                cure="Close it on the same line.",
            )
        if self.brackets:
            raise OptionError(
                f"A bracket in {_start(self.word)!r} is never closed.",
                cure=f"Close it with {self.brackets[-1]}, or put the whole value in quotes.",
            )
        self._end_word()
        return self.words

    def _take_escaped(self, char: str) -> None:
        """A backslash guards blanks, quotes and itself; before anything else it is only a backslash."""
        self.escaped = False
        guarded = (char in "\\'\"" or char.isspace()) and not self.brackets
        self._add(char if guarded else "\\" + char)

    def _take_quoted(self, char: str) -> None:
        if char == "\\" and (self.quote == '"' or self.brackets):
            self.escaped = True
        elif char == self.quote:
            self.quote = ""
            self._add(char if self.brackets else "")
        else:
            self._add(char)

    def _open_quote(self, char: str) -> None:
        self.quote = char
        self._add(char if self.brackets else "")

    def _take_plain(self, char: str) -> None:
        if char in _PAIRS:
            self.brackets.append(_PAIRS[char])
        elif self.brackets and char == self.brackets[-1]:
            self.brackets.pop()
        self._add(char)

    def _add(self, text: str) -> None:
        self.word += text
        self.begun = True

    def _end_word(self) -> None:
        if self.begun:
            self.words.append(self.word)
        self.word, self.begun = "", False


def _start(word: str, width: int = 30) -> str:
    return word if len(word) <= width else word[:width] + "…"
