"""Options of plugins."""

from typing import Annotated

from msgspec import Meta

from deeptheory.options import Options


class PluginOptions(Options, frozen=True):
    """Files with own criteria, networks, data sources and schedules; a run records those that it uses."""

    files: Annotated[
        tuple[str, ...], Meta(description="Python files that are executed; relative to this file")
    ] = ()
    sha256: Annotated[
        tuple[str, ...],
        Meta(description="SHA-256 of each, which is recorded; another content is refused"),
    ] = ()
