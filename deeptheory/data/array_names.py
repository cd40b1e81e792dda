"""Names of the arrays of a data set: which of them is which, where there is no doubt."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from deeptheory.errors import InputError
from deeptheory.store.paths import DATASET_ARRAYS, LABEL_NAMES, WORDS

SETS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation"),
}
KINDS = {
    "images": ("images", "image", "x", "data", "inputs", "input"),
    "labels": ("labels", "label", "y", "targets", "target"),
}
NAMES_OF_LABELS = ("labelnames", "classnames", "targetnames", "classes")
SEPARATORS = re.compile(r"[\W_]+")


def _spellings() -> dict[str, str]:
    """What each name stands for, once it is lower case and without separators."""
    found = {kind: name for name, kinds in KINDS.items() for kind in kinds}
    for part, words in SETS.items():
        for name, kinds in KINDS.items():
            for word in words:
                found |= dict.fromkeys([word + kind for kind in kinds], f"{part}_{name}")
                found |= dict.fromkeys([kind + word for kind in kinds], f"{part}_{name}")
    return found | dict.fromkeys(NAMES_OF_LABELS, LABEL_NAMES) | {WORDS: WORDS}


SPELLINGS = _spellings()


def known_arrays(names: Iterable[str]) -> dict[str, list[str]]:
    """The names by what they stand for: "train_images", or "images" without a set; those unknown are left out."""
    found: dict[str, list[str]] = {}
    for name in names:
        if meaning := SPELLINGS.get(SEPARATORS.sub("", name.lower())):
            found.setdefault(meaning, []).append(name)
    return found


def arrays_by_meaning(what: str, names: Iterable[str], mended: str) -> dict[str, str]:
    """The array for each of `DATASET_ARRAYS`, `LABEL_NAMES` and `WORDS`, as far as they are there.

    Images and labels without a set are those of training, validation arrays the test set where there is no other.

    Parameters
    ----------
    what : str
        The file, for errors.
    names : iterable of str
        Of its arrays.
    mended : str
        The line of code that writes it with the names of `DATASET_ARRAYS`, for errors; those in braces are
        replaced by the arrays that were found.

    Raises
    ------
    InputError
        Images or labels are missing, two arrays could be the same part, or one would be passed over.
    """
    names = sorted(names)
    present = known_arrays(names)
    found = {meaning: several[0] for meaning, several in present.items() if len(several) == 1}
    whole = {f"train_{kind}": found[kind] for kind in KINDS if kind in found}
    mended = mended.format_map(defaultdict(lambda: "...", whole | found))
    for several in present.values():
        if len(several) > 1:
            raise InputError(what, "one array for each part", " and ".join(several), mended)
    _take_as(found, what, mended, {"images": "train_images", "labels": "train_labels"})
    _take_as(found, what, mended, {f"validation_{kind}": f"test_{kind}" for kind in KINDS})
    needed = DATASET_ARRAYS if any(name in found for name in DATASET_ARRAYS[2:]) else DATASET_ARRAYS[:2]
    if missing := [name for name in needed if name not in found]:
        expected = f"the arrays {', '.join(missing)}"
        raise InputError(what, expected, ", ".join(names) or "no array", mended if names else "")
    return found


def _take_as(found: dict[str, str], what: str, mended: str, other_names: Mapping[str, str]) -> None:
    """Let arrays count as others, unless one of those is there as well."""
    given = {name: found.pop(name) for name in other_names if name in found}
    if given and (doubled := [found[name] for name in other_names.values() if name in found]):
        both = ", ".join([*doubled, *given.values()])
        raise InputError(what, "only one of the two sets, for the other would be passed over", both, mended)
    found |= {other_names[name]: array for name, array in given.items()}
