"""The command heeds signals, and does without streams, from its first moment."""

import subprocess
import sys

import pytest

EARLY = (
    "import os, signal, sys\n"
    "import deeptheory.__main__ as entry\n"
    "assert not {'click', 'numpy'} & set(sys.modules)\n"
    "class Finder:\n"
    "    def find_spec(name, path=None, target=None):\n"
    "        if name == sys.argv[2]:\n"
    "            os.kill(os.getpid(), signal.SIGTERM)\n"
    "sys.meta_path.insert(0, Finder)\n"
    "entry.main()\n"
)


@pytest.mark.parametrize("module", ["deeptheory.cli.main", "click"])
def test_a_signal_while_the_program_is_loaded_ends_it_as_a_later_one_does(module):
    command = [sys.executable, "-c", EARLY, "--version", module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert done.stderr.endswith("stopped by SIGTERM; run the same command again to go on\n")


@pytest.mark.parametrize(("closed", "code"), [("2>&-", 2), ("0<&- 1>&- 2>&-", 2)])
def test_an_error_keeps_its_exit_code_where_nobody_can_read_it(closed, code):
    command = f'"{sys.executable}" -m deeptheory inspect /nowhere {closed}'
    assert subprocess.run(["sh", "-c", command], check=False).returncode == code


def test_results_that_nobody_reads_are_no_error_message():
    script = f'"{sys.executable}" -m deeptheory hypothesis list | true'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_windows_is_refused_in_one_line():
    code = "import os; os.name = 'nt'; import deeptheory"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("on Windows install it in WSL")
