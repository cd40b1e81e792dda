"""The arms of a run: the masks of every criterion at the density of AFCC, the same whenever they are asked for."""

from deeptheory import prune
from deeptheory.runs.run import Run
from deeptheory.runs.seeds import generator
from deeptheory.runs.steps.layers import masked_layers
from deeptheory.runs.steps.train import trained_network


def pruned_arms(run: Run) -> dict[str, prune.PrunedArm]:
    """Masks, scores and report of every pruned arm, by name; AFCC first, the others at its density.

    Everything random comes from the run's seed, one generator per arm, so the masks are the same in every step.
    """
    run.require("measure")
    network = trained_network(run)
    layers = masked_layers(run, network)
    strengths = {stage.name: run.read(f"measure/stages/{stage.name}/strengths") for stage in network.stages}
    arms = run.config.prune.arms
    streams = dict(zip(arms, generator(run.config.seed, "controls").spawn(len(arms)), strict=True))

    def context(arm: str) -> prune.Context:
        return prune.Context(
            layers, network.parameters(), strengths, run.config.prune.threshold, streams[arm]
        )

    afcc = prune.prune_arm("afcc", context("afcc"))
    n_kept = afcc.masks.kept()
    return {arm: afcc if arm == "afcc" else prune.prune_arm(arm, context(arm), n_kept) for arm in arms}
