"""How often a hosted search of the web may be used where a request does not say."""

MOST_SEARCHES = 10
"""Searches of one call that are set aside. More than these are booked in full, as an overrun."""
