"""What paid HTTP APIs say: the most a request can cost, and what its answer used. No I/O, no prices."""
