"""Every shell block of the pages: what it starts exists and takes these arguments, options and configurations."""

import re

import pytest

from deeptheory.cli.main import commands
from deeptheory.judge import hypothesis
from deeptheory.reports.figures import FIGURES
from deeptheory.runs.configuration import config_from, override, read_config
from deeptheory.runs.steps import check_options
from deeptheory.store import paths
from deeptheory.studies.sweep import read_sweep
from tests.docs.shell_blocks import DOCS, ROOT, shell_blocks, started

ELSEWHERE = "extending.md", "tutorial-pytorch.md", "data.md"  # executed by tests of their own
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
BLOCKS = shell_blocks(*(page for page in PAGES if page.name not in ELSEWHERE))
STEPS = {"train": ("train",), "compare": ("train", paths.COMPARE)}  # that a command takes; else all of a run
PLACEHOLDERS = (
    "...",
    "CONFIG.toml",
    "CONFIG",
    "NAME",
    "c.toml",
    "c100.toml",
)  # a configuration of the reader's


def parsed(arguments):
    """The command and its arguments as Click takes them; it is not run."""
    context = commands.make_context("deeptheory", list(arguments))
    while hasattr(context.command, "resolve_command") and (rest := context._protected_args + context.args):
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
    return context


def check_deeptheory(arguments):
    """Commands and their options, configurations with what overrides them, figures and hypotheses exist."""
    context = parsed(arguments)
    overrides = context.params.get("overrides", ())
    config = context.params.get("config")
    if config and str(config) not in PLACEHOLDERS and config.name != paths.CONFIG:  # that of a run
        command = context.command.name
        asked = read_sweep(config, overrides).config if command == "sweep" else read_config(config, overrides)
        check_options(asked, STEPS.get(command, paths.STEPS))
    else:
        table = {}
        override(table, overrides)
        config_from(table)
    if context.command.name == "figure":
        assert context.params["name"] in {*FIGURES, "NAME"}
    for word in arguments:
        assert not re.fullmatch(r"H\d+", word) or hypothesis(word)


def check_make(arguments):
    """Targets, and the variables that are set, exist."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in arguments:
        name, of_variable, _ = word.partition("=")
        assert re.search(rf"^{name}" + (r" [?:]?=" if of_variable else ":"), makefile, re.M), word


def check_python(arguments):
    """Scripts and test files exist, and scripts know the options."""
    if arguments[0] == "-m":
        if arguments[1] == "pytest":
            paths = [word for word in arguments[2:] if "/" in word]
            assert paths
            assert all((ROOT / path).exists() for path in paths)
        return
    script = (ROOT / arguments[0]).read_text(encoding="utf-8")
    if "command_line" in script:  # what the scripts of figures share
        script += (ROOT / "figures" / "command_line.py").read_text(encoding="utf-8")
    for word in arguments[1:]:
        assert not word.startswith("--") or f'"{word}"' in script, word


CHECKS = {"deeptheory": check_deeptheory, "make": check_make, "python": check_python}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_a_block_starts_is_there_and_takes_these_arguments(block, tmp_path):
    calls = started(block, tmp_path)
    assert calls
    for program, *arguments in calls:
        if program in ("mpiexec", "srun"):
            program, *arguments = arguments[arguments.index("deeptheory") :]
        if program in CHECKS:
            CHECKS[program](arguments)
