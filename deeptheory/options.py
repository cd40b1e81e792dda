"""The base of every options table: each room declares its own options, `runs.configuration` composes them.

One field declares an option's name, type, range, default and help text (`msgspec.Meta`); the configuration
file, the `--set` flag and the documentation are all read from there.
"""

import msgspec

ONCE = "once"  # Meta(extra={"each": ONCE}): no value of the list may stand in it twice


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen table of options; an unknown key or a value of the wrong type or range is refused."""
