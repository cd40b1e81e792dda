"""Python programs in processes of their own."""

import subprocess
import sys


def python(script, environment, *arguments):
    """Run a program that must end well."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done
