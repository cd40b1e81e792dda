"""Simulations of the solvable models: the other side of every formula."""
