"""Measure a PyTorch model in place, through forward hooks, and apply masks to it.

PyTorch is imported only when it is used: ``pip install 'deeptheory[torch]'``.
"""

from deeptheory.interop.torch.channel_masks import Importance, channel_masks
from deeptheory.interop.torch.compaction import Compacted, compact
from deeptheory.interop.torch.listing import LiveStage, Stages, stages
from deeptheory.interop.torch.loading_back import load_back
from deeptheory.interop.torch.masks import apply_masks, load_masks, masks_of, save_masks
from deeptheory.interop.torch.measured import Measured
from deeptheory.interop.torch.measurement import measure

__all__ = [
    "Compacted",
    "Importance",
    "LiveStage",
    "Measured",
    "Stages",
    "apply_masks",
    "channel_masks",
    "compact",
    "load_back",
    "load_masks",
    "masks_of",
    "measure",
    "save_masks",
    "stages",
]
