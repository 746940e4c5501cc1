"""Real servers that harnesses and tests start, one module each."""
