"""Rooms whose name is also that of a step: `dt.measure(run)` computes, `dt.measure.clip` lies in the room."""

import importlib
from types import ModuleType
from typing import Any

CALLS = {  # the room, and the function that a call of it is
    "deeptheory.measure": ("deeptheory.front.computing", "measure"),
    "deeptheory.prune": ("deeptheory.front.computing", "prune"),
    "deeptheory.reports.plot": ("deeptheory.front.figures", "draw"),
}


class CallableRoom(ModuleType):
    """A module that can be called; Python lets the class of a module be set."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The step, or the figure, of a run: see `deeptheory.front`."""
        module, name = CALLS[self.__name__]
        return getattr(importlib.import_module(module), name)(*arguments, **named)


def called(name: str) -> ModuleType:
    """The room of this name, which can be called from now on."""
    room = importlib.import_module(name)
    room.__class__ = CallableRoom
    return room
