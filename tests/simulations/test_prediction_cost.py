"""Times of refits and of retraining, of a tiny run."""

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_row_has_three_times_and_their_ratio_and_the_run_is_left_as_it_is(script, run, monkeypatch, capsys):
    before = run.results.read_bytes()
    monkeypatch.setattr(script, "STEPS", 2)
    monkeypatch.setattr("sys.argv", ["script", str(run.directory), "--density", "0.5"])
    script.main()
    directory, *numbers = capsys.readouterr().out.splitlines()[-1].split()
    assert directory == str(run.directory)
    assert len(numbers) == 4
    assert float(numbers[2]) >= 0
    assert run.results.read_bytes() == before
