"""History: recorded calls read from other programs' logs, and the ledger written out for them."""
