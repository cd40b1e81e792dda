"""The study of low-rank covariances: full rank is the full form, fewer directions err more."""

import sys

import pytest

from deeptheory.system.scripts import run_script

pytestmark = pytest.mark.usefixtures("one_thread")


def test_covariances_that_do_not_fit_are_refused_with_the_low_rank_form(script, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory), "--stages", "stage5"])
    _ = run.dataset  # before there is no memory left for it
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 1000)
    with pytest.raises(SystemExit) as ended:
        run_script(script.main)
    assert ended.value.code == 2
    words = "covariances of stage5: expected at most 80 % of the free memory, 8e-07 GB, found "
    found = capsys.readouterr().err
    assert words in found
    assert "GB; use low_rank_statistics: " in found


def test_every_form_stands_beside_the_count(script, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory), "--stages", "stage5", "--ranks", "1", "60"])
    script.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    forms = [line.split()[2] for line in lines]
    assert forms == ["full", "pooled", "rank", "rank"]
    full, _, one, all_directions = (line.split()[-3:] for line in lines)
    assert full[0] == all_directions[0] == "0.0000"
    assert full[1] == all_directions[1]
    assert float(one[0]) > 0.01
    counted = run.read_number("predict/stages/stage5/counted")
    assert float(full[2]) == pytest.approx(100 * counted, abs=0.01)
