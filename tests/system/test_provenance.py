"""What a run file records of machine, versions and revision."""

from pathlib import Path

from deeptheory.system import instructions, provenance, threadpools


def test_provenance(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    facts = provenance.provenance()
    assert facts["threads"] == threadpools.threads()
    assert facts["vectors"] == instructions.vectors()
    assert facts["slurm"]["SLURM_JOB_ID"] == "17"
    assert set(provenance.RECORDED_PACKAGES) == set(facts["packages"])
    in_checkout = (Path(provenance.__file__).parents[2] / ".git").exists()
    assert len(facts["git_revision"]) == (40 if in_checkout else 0)
    assert isinstance(facts["git_dirty"], bool)
