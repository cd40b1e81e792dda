"""Pickled dictionaries of numbers, texts, lists and plain arrays, read without running anything of the file."""

import pickletools
from pathlib import Path
from typing import Any

from deeptheory.data.files import read_bytes
from deeptheory.data.pickle_machine import Machine
from deeptheory.data.pickled_arrays import PickledArray, Refused
from deeptheory.errors import InputError


def read_pickle(path: Path) -> dict[bytes | str, Any]:
    """Read a pickled dictionary; its values are numbers, bytes, texts, lists, tuples and plain arrays.

    Raises
    ------
    InputError
        The file asks for any other Python object, which is named; or it is damaged or no dictionary.
    """
    content = read_bytes(path, "pickle", copies=3)
    try:
        found = Machine().run(pickletools.genops(content))
    except Refused as refusal:
        raise InputError(
            f"pickle {path}",
            "plain numpy arrays, lists and dictionaries",
            f"a request for {refusal}, which was refused",
            "do not trust this file: get the official one",
        ) from None
    except Exception as failure:  # damaged bytes make the parser and the machine raise many kinds
        said = " ".join(str(failure).split()) or type(failure).__name__
        found_bytes = f"{len(content)} bytes that cannot be read ({said[:200]})"
        do = "unpack the official archive again"
        raise InputError(f"pickle {path}", "a complete pickle", found_bytes, do) from failure
    if not isinstance(found, dict):
        raise InputError(f"pickle {path}", "a pickled dictionary", f"a {type(found).__name__}")
    return {key: value.value if isinstance(value, PickledArray) else value for key, value in found.items()}
