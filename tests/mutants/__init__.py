"""Known faults, planted one by one in a copy of the sources: `make mutants`. Each must make a test fail."""
