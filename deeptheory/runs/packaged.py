"""The configurations that come with the package: those of `simulations/`, by name.

An installed package has them inside of itself, a checkout beside itself.
"""

from difflib import get_close_matches
from pathlib import Path

import deeptheory
from deeptheory.errors import InputError

PACKAGE = Path(deeptheory.__file__).parent
PLACES = (PACKAGE / "simulations", PACKAGE.parent / "simulations")
ENDING = ".toml"


def configuration_names() -> list[str]:
    """Names that commands take in place of a file, such as ``demo``."""
    return sorted(path.stem for path in _directory().glob(f"*{ENDING}"))


def packaged_file(name: str) -> Path:
    """The file of a packaged configuration.

    Raises
    ------
    InputError
        No configuration has this name.
    """
    return _packaged(name, "the name of a packaged one")


def configuration_file(path: Path) -> Path:
    """What a command was given as its configuration: a file, or the name of a packaged one.

    A file of that name comes first, a directory does not.

    Raises
    ------
    InputError
        Neither is there.
    """
    if path.exists() and not (path.is_dir() and str(path) in configuration_names()):
        return path
    return _packaged(str(path), "a TOML file, or the name of a packaged one")


def _packaged(name: str, expected: str) -> Path:
    if name in (names := configuration_names()):
        return _directory() / f"{name}{ENDING}"
    near = get_close_matches(Path(name).stem, names, 1)
    do = f"did you mean '{near[0]}'?" if near else "'deeptheory config list' names them"
    raise InputError("configuration", expected, f"no file {name}", do)


def described(path: Path) -> str:
    """The first sentence of the comment that a configuration begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[1:].strip())
    words = " ".join(lines).split()
    for number, word in enumerate(words, 1):
        if word.endswith((".", "?", ":")):
            return " ".join(words[:number]).rstrip(":").removesuffix(".")
    return " ".join(words)


def _directory() -> Path:
    for place in PLACES:
        if place.is_dir():
            return place
    raise InputError("package", f"configurations in {PLACES[0]}", "none", "install deeptheory again")
