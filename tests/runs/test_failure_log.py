import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, failure_log, steps
from deeptheory.store import paths


@pytest.fixture
def fresh(tmp_path, tiny_config):
    return Run.create(tmp_path / "run", tiny_config, quiet=True)


def fail(run, error):
    try:
        raise error
    except type(error) as raised:
        failure_log.keep(run, raised)


def test_a_run_without_a_log_has_not_failed(fresh):
    assert failure_log.last(fresh.directory) is None


def test_an_error_is_kept_in_one_line_with_its_traceback(fresh):
    fail(fresh, ValueError("two\nlines"))
    assert failure_log.last(fresh.directory) == "ValueError: two lines"
    text = (fresh.directory / paths.LOG).read_text()
    assert "  Traceback (most recent call last):\n" in text
    assert "raise error" in text


def test_the_end_of_a_process_is_kept(fresh):
    failure_log.keep_exit(fresh, -9)
    assert failure_log.last(fresh.directory) == "the process ended by signal 9"
    failure_log.keep_exit(fresh, 3)
    assert failure_log.last(fresh.directory) == "the process ended with exit code 3"


def test_a_failure_is_not_the_last_word_once_something_else_is_logged(fresh):
    fail(fresh, ValueError("once"))
    fresh.log("trained")
    assert failure_log.last(fresh.directory) is None


def test_the_chain_logs_the_error_it_ends_with_and_a_new_attempt(fresh, monkeypatch, capsys):
    def broken(run):
        raise InputError("data", "images", "none")

    def interrupted(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "train", broken)
    with pytest.raises(InputError):
        steps.chain(fresh)
    assert failure_log.last(fresh.directory) == "InputError: data: expected images, found none"
    monkeypatch.setattr(steps, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        steps.chain(fresh)
    assert failure_log.last(fresh.directory) is None
    assert capsys.readouterr().err == ""


def test_the_chain_goes_as_far_as_it_is_asked(run_until, monkeypatch):
    run, done = run_until("train"), []
    monkeypatch.setattr(steps, "measure", lambda run: run.finish("measure", {}, started=0.0))
    monkeypatch.setattr(steps, "predict", done.append)
    steps.chain(run, "measure")
    assert (run.done("measure"), done) == (True, [])
    log = (run.directory / paths.LOG).read_text()
    steps.chain(run, "measure")
    assert (run.directory / paths.LOG).read_text() == log
    with pytest.raises(InputError, match=r"--until: .* found 'mesure'; did you mean 'measure'"):
        steps.chain(run, "mesure")
