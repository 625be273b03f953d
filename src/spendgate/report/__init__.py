"""What the ledger comes to, as tables: pure functions from sums and standings to rows."""
