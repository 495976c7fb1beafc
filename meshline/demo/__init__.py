"""`demo`: the whole product on a bare machine, and a billing week that passes through it."""
