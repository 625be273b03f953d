"""Tells people what happened to their budgets: routes, messages, sinks, and a notifier that never delays the gate."""
