"""Statistical mechanics of trained networks: measure single filters, predict what can go, confirm it."""

import os

__version__ = "0.1.0"

if os.name != "posix":
    raise ImportError("deeptheory needs a POSIX system such as Linux; on Windows install it in WSL")
