"""`python -m imageless`, and what torchrun starts."""

from imageless.cli import main

main()
