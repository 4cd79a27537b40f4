"""The panel *Pairs*."""
