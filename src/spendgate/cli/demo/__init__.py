"""The night that cost $912, live on this machine: a paid API, six workers, without and with the gate."""

from spendgate.cli.demo.command import demo

__all__ = ["demo"]
