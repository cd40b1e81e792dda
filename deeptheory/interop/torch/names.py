"""Names that ``torch.nn.utils.prune`` gives the parts of a masked parameter."""

ORIGINAL, MASK = "_orig", "_mask"  # behind the name of the parameter
