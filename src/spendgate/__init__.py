"""spendgate keeps code that pays per call from spending money nobody meant to spend."""
