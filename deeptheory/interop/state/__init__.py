"""State dictionaries: architectures as TOML, tensors by name, and which tensor is which array."""
