"""Simulations of the solvable models, for comparison with their formulas."""
