"""The command `deeptheory`, and `python -m deeptheory`: it heeds signals before anything large is loaded."""

import sys

from deeptheory.system import interruption, parenthood, standard_streams


def main() -> None:
    """Entry point; exit codes are those of `cli.main`."""
    standard_streams.open_closed()
    parenthood.end_with_parent()
    try:
        with interruption.listening():
            with interruption.deferred():
                from deeptheory.cli.main import main as command_line
            command_line()
    except interruption.Interrupted as stopped:
        interruption.say_stopped(stopped)
        sys.exit(interruption.EXIT_STOPPED)


if __name__ == "__main__":
    main()
