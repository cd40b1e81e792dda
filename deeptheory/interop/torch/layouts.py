"""Masks of filters and heads as the parameters of a model are laid out."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory import prune
from deeptheory.interop.torch.layers import Layout


class ParameterMasks(prune.Masks):
    """`prune.Masks` in the shapes of the parameters; kernels and counts are those between filters."""

    layouts: Mapping[str, Layout]

    @classmethod
    def of(cls, masks: prune.Masks, layouts: Mapping[str, Layout]) -> "ParameterMasks":
        """Masks with the layout of every weight.

        Parameters
        ----------
        masks : Masks
            Of the shapes that `Layout.filters` gives.
        layouts : mapping of str to Layout
            By weight name.
        """
        made = cls(masks.layers, dict(masks))
        made.layouts = layouts
        return made

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        return self.layouts[name].parameter(super().__getitem__(name))

    def density(self, name: str) -> float:
        """Kept share of the weights of one layer, of the outputs that are measured."""
        return float(super().__getitem__(name).mean())

    def stored(self, name: str) -> NDArray[np.bool_]:
        """The mask in the shape of the parameter."""
        return self[name]
