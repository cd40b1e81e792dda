"""Compiled functions whose code their callers do not take in."""

import inspect
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.system.compiled import JIT, inner

FLAT = types.Array(types.float32, 1, "C")
INDEX = types.intp


def apart(*parameters: Any) -> Callable[[Callable[..., None]], Any]:
    """Compile a function once, for one list of types, and let its callers jump to it.

    Numba copies the code of a function into every caller, into a parallel loop three times, and LLVM compiles
    every copy. So what a thread has to do in a parallel loop, if it is much, is better left where it is. A jump
    with its arguments takes 50 ns: it is not for what is called for every few products.

    Parameters
    ----------
    *parameters : Numba types, or examples of the arguments
        The function returns nothing and raises nothing.

    Returns
    -------
    decorator
        What it returns is for compiled functions only. `make_ready` has to be called before one of these is.
    """

    def decorated(function: Callable[..., None]) -> Any:
        if not JIT:
            return function
        dispatcher, name = inner(function), f"{function.__module__}.{function.__qualname__}"
        kinds = tuple(given if isinstance(given, types.Type) else numba.typeof(given) for given in parameters)

        def load_it() -> None:
            """Compile it or read it from the cache; callers that are read from the cache know its name only."""
            dispatcher.compile(kinds)
            compiled = dispatcher.overloads[kinds]
            address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
            llvmlite.binding.add_symbol(name, address)

        def call(typingctx: Any, *arguments: Any) -> Any:
            make_ready(called)

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                kind = context.call_conv.get_function_type(types.none, signature.args)
                place = cgutils.get_or_insert_function(builder.module, kind, name)
                context.call_conv.call_function(builder, place, types.none, signature.args, values)
                return context.get_dummy_value()

            return types.void(*kinds), generate

        own = inspect.signature(function)
        first = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        call.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[first, *own.parameters.values()]
        )
        called: Any = intrinsic(call)
        _unloaded[called] = load_it
        return called

    return decorated


def make_ready(*functions: Any) -> None:
    """Make functions of `apart` ready for compiled callers; once for each."""
    for function in functions:
        if function in _unloaded:
            _unloaded.pop(function)()


_unloaded: dict[Any, Callable[[], None]] = {}
