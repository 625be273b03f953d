"""What paid HTTP APIs say: from a request the most that it can cost, from its answer what it used. No I/O, no prices."""
