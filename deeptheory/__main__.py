"""`python -m deeptheory` is the command `deeptheory`."""

from deeptheory.cli import main

main()
