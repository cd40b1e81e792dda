"""The layers of a network: each with forward and backward pass, parameters, gradients and buffers."""
