"""The panel *Align*."""
