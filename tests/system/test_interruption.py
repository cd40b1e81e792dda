"""Signals end work at once, or where a block that must not be torn ends; real signals, this very process."""

import os
import signal
import subprocess
import sys

import pytest
from numba.core.compiler_lock import global_compiler_lock

import deeptheory.system.compiled  # noqa: F401 (registers what defers)
from deeptheory.store.atomic_files import write_text
from deeptheory.system import interruption
from deeptheory.system.scripts import run_script


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_raises_at_once(number):
    before = signal.getsignal(number)
    with (
        pytest.raises(interruption.Interrupted, match=f"^stopped by {number.name}$"),
        interruption.listening(),
    ):
        send(number)
    assert signal.getsignal(number) is before
    assert not interruption.requested()


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.listening(), interruption.deferred():
            send(signal.SIGINT)
            assert not interruption.requested()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_deferred_block_is_finished_first(capfd):
    done = []

    def work():
        with interruption.listening(), interruption.deferred():
            with interruption.deferred():
                send(signal.SIGTERM)
                done.append(interruption.requested())
            done.append("inner")

    with pytest.raises(interruption.Interrupted):
        work()
    assert done == [True, "inner"]
    assert capfd.readouterr().err == "SIGTERM: stopping at the next step; a second Ctrl-C stops at once\n"


def test_numba_compiles_to_the_end_first():
    done = []

    def work():
        with interruption.listening():
            with global_compiler_lock, global_compiler_lock:
                send(signal.SIGTERM)
                done.append(interruption.requested())
            done.append("never")

    with pytest.raises(interruption.Interrupted):
        work()
    assert done == [True]
    with interruption.listening(), global_compiler_lock:
        done.append("again")
    assert done == [True, "again"]


def test_the_error_of_a_deferred_block_comes_before_the_request():
    def work():
        with interruption.listening(), interruption.deferred():
            send(signal.SIGTERM)
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        work()


def test_only_the_first_signal_counts():
    def work():
        with interruption.listening(), interruption.deferred():
            send(signal.SIGUSR2)
            send(signal.SIGTERM)

    with pytest.raises(interruption.Interrupted, match="SIGUSR2"):
        work()


def test_a_file_that_is_being_written_is_finished(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(one, other):
        send(signal.SIGTERM)
        replace(one, other)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(interruption.Interrupted), interruption.listening():
        write_text(tmp_path / "file", "whole")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


def test_it_is_no_failure():
    assert not issubclass(interruption.Interrupted, Exception)


def test_a_second_interrupt_ends_the_process_on_the_spot():
    code = (
        "import os, signal, time\n"
        "from deeptheory.system import interruption\n"
        "with interruption.listening(), interruption.deferred():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('asked', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "asked\n")


def test_a_script_ends_with_75_and_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as ended:
        run_script(lambda: send(signal.SIGTERM))
    assert ended.value.code == interruption.EXIT_STOPPED == 75
    assert capsys.readouterr().err == "stopped by SIGTERM; run the same command again to go on\n"
