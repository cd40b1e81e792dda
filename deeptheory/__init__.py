"""Statistical mechanics of trained networks: measure single filters, predict what can go, confirm it."""

__version__ = "0.1.0"
