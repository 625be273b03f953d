"""Ledgers that keep what they are told. A store is whatever passes `spendgate.testing.StoreContract`."""
