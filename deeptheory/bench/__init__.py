"""How fast the engine is: against PyTorch, and against the limit of the machine."""
