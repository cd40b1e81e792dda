"""What a run file records of machine, versions and revision."""

from deeptheory.system import instructions, provenance, threadpools


def test_provenance(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    facts = provenance.provenance()
    assert facts["threads"] == threadpools.threads()
    assert facts["vectors"] == instructions.vectors()
    assert facts["slurm"]["SLURM_JOB_ID"] == "17"
    assert set(provenance.RECORDED_PACKAGES) == set(facts["packages"])
    assert len(facts["git_revision"]) in (0, 40)
    assert isinstance(facts["git_dirty"], bool)
