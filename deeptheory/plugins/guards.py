"""Errors in the code of plugins, as errors of the plugin."""

import functools
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from deeptheory.errors import InputError
from deeptheory.plugins.definitions import Plugin, plugin_of

P = ParamSpec("P")
T = TypeVar("T")


def guarded(
    function: Callable[P, T], passed: Callable[[Exception], bool] = lambda error: False
) -> Callable[P, T]:
    """The function, with its errors as errors of the plugin (`plugin_error`), but for those that may pass."""
    plugin, code = plugin_of(function), getattr(function, "__code__", None)
    file = code.co_filename if code else plugin.path

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if isinstance(error, InputError) or passed(error):
                raise
            raise plugin_error(plugin, file, error) from error

    return call


def plugin_error(plugin: Plugin, file: str, error: BaseException) -> InputError:
    """An error in the code of a plugin, with the last line of it that was executed."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    where = plugin.path or f"{plugin.name} of the notebook"
    what = f"plugin {where}, line {lines[-1]}" if lines else f"plugin {where}"
    found = f"{type(error).__name__}: {error}".removesuffix(": ")
    return InputError(what, "code that can be executed", found, "correct it there")
