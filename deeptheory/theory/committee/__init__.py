"""Soft committee machines learning on line from a teacher: order parameters, learning curves, deletable units."""
