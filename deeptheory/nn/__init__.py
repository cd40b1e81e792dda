"""The network: layers, architectures, optimiser and training; every internal has a dotted name."""

from deeptheory.nn.architectures import build
from deeptheory.nn.blueprints import blueprint_of, build_from_blueprint
from deeptheory.nn.early_stopping import EarlyStop, best_epoch
from deeptheory.nn.evaluation import accuracy, predict_labels
from deeptheory.nn.graph import Node, Stage
from deeptheory.nn.initialisation import reinitialise
from deeptheory.nn.layers.activations import GELU, HardSwish, ReLU6, SiLU, TanhGELU, activation
from deeptheory.nn.layers.attention import SelfAttention
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.convolution import Conv2d, Linear
from deeptheory.nn.layers.dropout import Dropout
from deeptheory.nn.layers.normalisation import BatchNorm2d, LayerNorm
from deeptheory.nn.layers.pooling import AvgPool2d, GlobalAveragePool, MaxPool2d
from deeptheory.nn.layers.reshaping import Flatten, ReLU
from deeptheory.nn.layers.residual import Concat, LayerScale, StochasticDepth, Subsample, Sum
from deeptheory.nn.layers.sparse import SparseConv2d, SparseLinear
from deeptheory.nn.layers.squeeze_excitation import HardSqueezeExcitation, SqueezeExcitation
from deeptheory.nn.layers.standardisation import Standardise
from deeptheory.nn.layers.tokens import (
    ClassToken,
    Embedding,
    FirstToken,
    PaddingMask,
    Positions,
    SequencePool,
    SinePositions,
    Tokens,
)
from deeptheory.nn.learning_rates import SCHEDULES, Schedule, check_schedule, learning_rate
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.model_files import load_model, save_model
from deeptheory.nn.network import Network
from deeptheory.nn.optimiser import SGD, Adam, AdamW, make_optimiser
from deeptheory.nn.options import NetworkOptions, Recipe, TrainRecipe
from deeptheory.nn.pass_sizes import inputs_that_fit
from deeptheory.nn.process_groups import ALONE, Group, processes
from deeptheory.nn.rebuilding import assemble, with_arrays
from deeptheory.nn.sized_networks import build_sized
from deeptheory.nn.training import BeforeEpoch, Generators, History, Session, fit
from deeptheory.nn.upper_parts import stage_below, upper_part

__all__ = [
    "ALONE",
    "GELU",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "BatchNorm2d",
    "BeforeEpoch",
    "ClassToken",
    "Concat",
    "Conv2d",
    "Dropout",
    "EarlyStop",
    "Embedding",
    "FirstToken",
    "Flatten",
    "Generators",
    "GlobalAveragePool",
    "Group",
    "HardSqueezeExcitation",
    "HardSwish",
    "History",
    "Layer",
    "LayerNorm",
    "LayerScale",
    "Linear",
    "MaxPool2d",
    "Network",
    "NetworkOptions",
    "Node",
    "PaddingMask",
    "Positions",
    "ReLU",
    "ReLU6",
    "Recipe",
    "Schedule",
    "SelfAttention",
    "SequencePool",
    "Session",
    "SiLU",
    "SinePositions",
    "SparseConv2d",
    "SparseLinear",
    "SqueezeExcitation",
    "Stage",
    "Standardise",
    "StochasticDepth",
    "Subsample",
    "Sum",
    "TanhGELU",
    "Tokens",
    "TrainRecipe",
    "accuracy",
    "activation",
    "assemble",
    "best_epoch",
    "blueprint_of",
    "build",
    "build_from_blueprint",
    "build_sized",
    "check_schedule",
    "fit",
    "inputs_that_fit",
    "learning_rate",
    "load_model",
    "make_optimiser",
    "predict_labels",
    "processes",
    "reinitialise",
    "save_model",
    "softmax_cross_entropy",
    "stage_below",
    "upper_part",
    "with_arrays",
]
