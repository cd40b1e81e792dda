"""The exceptions that the command line turns into messages and exit codes."""

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

LONGEST_FOUND = 600  # letters of what was found that a message shows
LONGEST_NUMBER = 80  # digits


class InputError(ValueError):
    """Input that the user can correct: the command line prints its text and exits with code 2.

    Parameters
    ----------
    what : str
        The thing that is wrong, by the name the user knows it under.
    expected : str
        What would have been accepted.
    found : str
        What was there instead.
    do : str, optional
        What the user can do about it.
    """

    def __init__(self, what: str, expected: str, found: str, do: str = "") -> None:
        self.what, self.expected, self.found, self.do = what, expected, found, do
        text = f"{what}: expected {expected}, found {_shortened(found)}"
        super().__init__(_printable(_LONG_NUMBER.sub(_digits, f"{text}; {do}" if do else text)))


def _printable(text: str) -> str:
    """One line that any terminal shows as it is: names in files may hold what moves its cursor, or is no text."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _shortened(found: str) -> str:
    """Beginning and end of a text that may be as long as whoever wrote the input likes."""
    if len(found) <= LONGEST_FOUND:
        return found
    begin, end = found[: LONGEST_FOUND // 2], found[-LONGEST_FOUND // 6 :]
    return f"{begin} ... {len(found) - len(begin) - len(end)} more letters ... {end}"


_LONG_NUMBER = re.compile(rf"\d{{{LONGEST_NUMBER + 1},}}")


def _digits(number: re.Match[str]) -> str:
    return f"{number[0][:10]}... ({len(number[0])} digits)"


class Unsuited(InputError):
    """Input that is sound and serves another purpose: who looks for the right one among several goes on."""


class RunFailed(Exception):
    """The process of a run ended with an error, which it has printed itself.

    Parameters
    ----------
    run : str
        Its directory.
    exit_code : int
        That of the process.
    """

    def __init__(self, run: str, exit_code: int) -> None:
        super().__init__(
            f"{run} failed with exit code {exit_code}; the other runs go on when this is repeated"
        )
        self.exit_code = exit_code


def unknown_name(
    what: str, name: str, known: Iterable[str], unclear: Mapping[str, str] = MappingProxyType({})
) -> InputError:
    """An `InputError` for a name outside `known`: the nearest one is suggested, or what `unclear` says of it."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    do = unclear.get(name) or (f"did you mean '{near[0]}'?" if near else "")
    return InputError(what, "one of " + ", ".join(known), f"'{name}'", do)
