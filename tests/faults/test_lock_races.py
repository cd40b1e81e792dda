"""Processes that want one lock at the same moment, some of which are killed while they have it."""

import contextlib
import os
import random
import sys
import time

import pytest

from deeptheory.runs.run_locks import Locked, lock
from deeptheory.system import file_systems, process_identity

TRIES, MANY, AT_ONCE = 200, 5000, 8
ALONE, REFUSED, DOUBLE, FAILED = range(4)


@pytest.fixture
def shared(monkeypatch):
    """Directories are on a file system that several machines have mounted."""
    monkeypatch.setattr(file_systems, "is_of_this_machine", lambda directory: False)


def without_links(monkeypatch):
    def refuse(one, other):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


def attempt(directory, deadly, rng):
    """One process: take the lock, look whether another one is inside, and leave or die there."""
    inside = directory / "inside"
    try:
        with lock(directory):
            try:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return DOUBLE
            time.sleep(rng.random() / 1000)
            inside.unlink()
            if rng.random() < deadly:
                os._exit(ALONE)
        return ALONE
    except Locked:
        return REFUSED


def race(directory, tries, deadly, boots=()):
    """So many tries, eight processes at a time; how many ended in which way. Each is on one of some machines."""
    counts, running, rng = [0] * 4, 0, random.Random(0)
    for number in range(tries + AT_ONCE):
        if running == AT_ONCE or number >= tries:
            _, status = os.wait()
            counts[os.waitstatus_to_exitcode(status)] += 1
            running -= 1
        if number < tries:
            seed, boot = rng.random(), rng.choice(boots or [None])
            if not os.fork():
                code = FAILED
                with contextlib.suppress(Exception):
                    if boot:
                        process_identity._boot = lambda boot=boot: boot
                    code = attempt(directory, deadly, random.Random(seed))
                os._exit(code)
            running += 1
    return counts


def check(counts, tries, least):
    assert sum(counts) == tries
    assert (counts[DOUBLE], counts[FAILED]) == (0, 0)
    assert counts[ALONE] >= least


def races(directory, tries, monkeypatch, links):
    if not links:
        without_links(monkeypatch)
    counts = race(directory, tries, deadly=0.3)
    sys.stdout.write(f"hard links {links}, one machine: alone, refused, double, failed: {counts}\n")
    check(counts, tries, tries // 20)


@pytest.mark.parametrize("links", [True, False])
def test_one_process_at_a_time_has_a_lock(tmp_path, monkeypatch, links):
    races(tmp_path, TRIES, monkeypatch, links)


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False])
def test_one_process_at_a_time_has_a_lock_in_many_tries(tmp_path, monkeypatch, links):
    races(tmp_path, MANY, monkeypatch, links)


def of_two_machines(directory, tries, monkeypatch, links):
    """Nobody dies on one of them, so that the other one gets its turn; both have the same name."""
    if not links:
        without_links(monkeypatch)
    counts = race(directory, tries, deadly=0.0, boots=("boot-1", "boot-2"))
    sys.stdout.write(f"hard links {links}, two machines: alone, refused, double, failed: {counts}\n")
    check(counts, tries, tries // 20)
    dying = race(directory, 20, deadly=1.0, boots=("boot-1",))
    assert dying[DOUBLE] == 0
    refused = race(directory, 20, deadly=0.0, boots=("boot-2",))
    assert refused == [0, 20, 0, 0]
    back = race(directory, 20, deadly=0.0, boots=("boot-1",))
    assert back[ALONE] > 0


@pytest.mark.parametrize("links", [True, False])
def test_two_machines_do_not_share_a_lock(tmp_path, monkeypatch, shared, links):
    of_two_machines(tmp_path, TRIES, monkeypatch, links)


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False])
def test_two_machines_do_not_share_a_lock_in_many_tries(tmp_path, monkeypatch, shared, links):
    of_two_machines(tmp_path, MANY, monkeypatch, links)
