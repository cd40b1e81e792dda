"""The frame of a script: what it raises becomes a message and an exit code."""

import sys
from collections.abc import Callable

from deeptheory.errors import InputError
from deeptheory.system import interruption, standard_streams


def run_script(main: Callable[[], None]) -> None:
    """Run the main function of a script: bad input is one line on the error stream and exit code 2.

    A request to stop (`interruption`) ends it with exit code 75: the same command goes on.
    """
    try:
        with interruption.listening():
            main()
    except InputError as error:
        standard_streams.say(f"error: {error}\n")
        sys.exit(2)
    except interruption.Interrupted as stopped:
        interruption.say_stopped(stopped)
        sys.exit(interruption.EXIT_STOPPED)
