"""Faults done to ledgers on purpose, and the processes that suffer them."""
