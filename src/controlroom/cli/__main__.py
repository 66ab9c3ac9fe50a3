"""Lets `python -m controlroom.cli` stand for the `controlroom` command."""

from controlroom.cli.main import main

main()
