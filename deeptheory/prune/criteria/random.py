"""Random: every weight, kernel or filter is as likely to stay as any other."""

from deeptheory.prune.criterion_context import Context, Scores


def scores(context: Context) -> Scores:
    """Independent uniform numbers within [0, 1).

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict of str to float64 array
    """
    return {layer.weight: context.rng.random(layer.units(context.granularity)) for layer in context.units}
