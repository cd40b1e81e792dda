"""Probes of stages: one new bias-free linear layer from the outputs of a stage to the labels, fitted two ways."""
