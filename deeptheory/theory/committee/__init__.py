"""Soft committee machines learning on line from a teacher: order parameters, learning curves, deletable units."""

from deeptheory.theory.committee.averages import I2, I3, I4
from deeptheory.theory.committee.deletion import Deletion, delete_units, greedy_deletions, ranked_deletions
from deeptheory.theory.committee.learning import LearningCurve, learning_curve, order_parameter_rates
from deeptheory.theory.committee.order_parameters import OrderParameters, generalisation_error, overlaps
from deeptheory.theory.committee.scatter import LearningScatter, learning_scatter

__all__ = [
    "I2",
    "I3",
    "I4",
    "Deletion",
    "LearningCurve",
    "LearningScatter",
    "OrderParameters",
    "delete_units",
    "generalisation_error",
    "greedy_deletions",
    "learning_curve",
    "learning_scatter",
    "order_parameter_rates",
    "overlaps",
    "ranked_deletions",
]
