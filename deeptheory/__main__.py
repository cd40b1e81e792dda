"""`python -m deeptheory` is the command `deeptheory`."""

from deeptheory.cli.main import main

main()
