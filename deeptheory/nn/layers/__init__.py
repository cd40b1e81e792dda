"""The layers of a network: each with its forward and backward pass, parameters, gradients and buffers."""
