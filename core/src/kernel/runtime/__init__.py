"""Drivers, threads and processes: what performs the engine's decisions. Plugins never import this package."""
