"""The panel *Reconstruct*."""
