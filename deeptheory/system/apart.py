"""Compiled functions whose code their callers do not take in."""

import inspect
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.system.compiled import inner

FLAT = types.Array(types.float32, 1, "C")
INDEX = types.intp


def apart(function: Callable[..., None], *parameters: Any) -> Callable[..., None]:
    """Compile a function at once, for one list of types, and let callers jump to it.

    Numba copies the code of a function into every caller, into a parallel loop three times, and each time LLVM
    compiles it anew. So a function that many kernels call, and that is large, is better left where it is.

    Parameters
    ----------
    function : callable
        Returns nothing and raises nothing; only compiled functions may call the result.
    *parameters : Numba type or NamedTuple class of integers
        The type of each of its arguments.
    """
    kinds = [_numba_type(kind) for kind in parameters]
    name = f"{function.__module__}.{function.__qualname__}"
    dispatcher = inner(function)
    dispatcher.compile(tuple(kinds))
    compiled = dispatcher.overloads[tuple(kinds)]
    # Callers that are read from the cache know the name only.
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    llvmlite.binding.add_symbol(name, address)

    def call(typingctx: Any, *arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kind = context.call_conv.get_function_type(types.none, signature.args)
            place = cgutils.get_or_insert_function(builder.module, kind, name)
            context.call_conv.call_function(builder, place, types.none, signature.args, values)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    call.__signature__ = _signature_of(function)  # type: ignore[attr-defined]
    called: Callable[..., None] = intrinsic(call)
    return called


def _signature_of(function: Callable[..., None]) -> Any:
    """That of the function behind a typing context, which an intrinsic takes first."""
    own = inspect.signature(function)
    first = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return own.replace(parameters=[first, *own.parameters.values()])


def _numba_type(kind: Any) -> Any:
    return types.NamedUniTuple(INDEX, len(kind._fields), kind) if hasattr(kind, "_fields") else kind
