"""The command line, one file per verb. Each command's module is loaded when the command is asked for, not before."""

from spendgate.cli.commands import main

__all__ = ["main"]
