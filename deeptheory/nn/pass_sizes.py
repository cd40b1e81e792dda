"""How many inputs a pass without training takes: a hundred, or as many as fit a bounded number of bytes."""

MOST = 100  # the activations of a small network stay in the cache
BYTES = 2**31  # of what a pass holds for its inputs


def inputs_that_fit(bytes_of_one: int) -> int:
    """Inputs of a pass that holds so many bytes for each of them: at least 1, at most 100."""
    return max(1, min(MOST, BYTES // max(bytes_of_one, 1)))
