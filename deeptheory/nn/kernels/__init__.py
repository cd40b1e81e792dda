"""The compiled kernels of nn: functions over NHWC arrays, generic over shapes, compiled once per dtype."""

from deeptheory.nn.kernels.adam import AdamStep, adam, adam_by_threads
from deeptheory.nn.kernels.elementwise import (
    SHARE,
    add,
    affine,
    affine_pair,
    copy,
    nesterov,
    nesterov_by_threads,
    relu_backward,
    relu_forward,
    subsample,
    subsample_backward,
)
from deeptheory.nn.kernels.pooling import (
    average_pool_backward,
    average_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from deeptheory.nn.kernels.reductions import channel_sums
from deeptheory.nn.kernels.scratch import Scratch

__all__ = [
    "SHARE",
    "AdamStep",
    "Scratch",
    "adam",
    "adam_by_threads",
    "add",
    "affine",
    "affine_pair",
    "average_pool_backward",
    "average_pool_forward",
    "channel_sums",
    "copy",
    "max_pool_backward",
    "max_pool_forward",
    "nesterov",
    "nesterov_by_threads",
    "relu_backward",
    "relu_forward",
    "subsample",
    "subsample_backward",
]
