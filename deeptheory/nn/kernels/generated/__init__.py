"""Kernels written for given small matrices or blocks and unrolled completely, as compiled loops are not."""
