"""The panel *Particles*."""
