"""The network: layers, architectures, optimiser and training; every internal has a dotted name."""

from deeptheory.nn.activations import SiLU, activation
from deeptheory.nn.architectures import build
from deeptheory.nn.convolution import Conv2d, Linear
from deeptheory.nn.description import describe, described_network
from deeptheory.nn.evaluation import accuracy, predict_labels
from deeptheory.nn.fresh import draw_weights
from deeptheory.nn.graph import Node, Stage
from deeptheory.nn.layer import Layer
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.memory import scratch_bytes
from deeptheory.nn.model_file import load_model, save_model
from deeptheory.nn.network import Network
from deeptheory.nn.normalisation import BatchNorm2d
from deeptheory.nn.optimiser import SGD
from deeptheory.nn.options import NetworkOptions, Recipe
from deeptheory.nn.parallel import ALONE, Group, processes
from deeptheory.nn.pooling import AvgPool2d, GlobalAveragePool, MaxPool2d
from deeptheory.nn.rebuild import assemble, rebuilt
from deeptheory.nn.reshaping import Flatten, ReLU
from deeptheory.nn.residual import StochasticDepth, Subsample, Sum
from deeptheory.nn.schedule import learning_rate
from deeptheory.nn.sparse import SparseConv2d, SparseLinear
from deeptheory.nn.squeeze import SqueezeExcitation
from deeptheory.nn.standardise import Standardise
from deeptheory.nn.training import BeforeEpoch, History, fit

__all__ = [
    "ALONE",
    "SGD",
    "AvgPool2d",
    "BatchNorm2d",
    "BeforeEpoch",
    "Conv2d",
    "Flatten",
    "GlobalAveragePool",
    "Group",
    "History",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Network",
    "NetworkOptions",
    "Node",
    "ReLU",
    "Recipe",
    "SiLU",
    "SparseConv2d",
    "SparseLinear",
    "SqueezeExcitation",
    "Stage",
    "Standardise",
    "StochasticDepth",
    "Subsample",
    "Sum",
    "accuracy",
    "activation",
    "assemble",
    "build",
    "describe",
    "described_network",
    "draw_weights",
    "fit",
    "learning_rate",
    "load_model",
    "predict_labels",
    "processes",
    "rebuilt",
    "save_model",
    "scratch_bytes",
    "softmax_cross_entropy",
]
