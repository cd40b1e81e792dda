"""State dictionaries: architectures as TOML, tensors by name, and the matching of tensors to arrays."""
