"""Necks between particles: one pair, all pairs through time, and how they grow."""
