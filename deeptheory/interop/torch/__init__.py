"""A PyTorch model where it lives: measured through forward hooks, masks given back to it.

PyTorch is imported when it is needed: ``pip install 'deeptheory[torch]'``.
"""

from deeptheory.interop.torch.masks import apply_masks, load_masks, masks_of, save_masks
from deeptheory.interop.torch.measured import Measured
from deeptheory.interop.torch.measurement import measure

__all__ = ["Measured", "apply_masks", "load_masks", "masks_of", "measure", "save_masks"]
