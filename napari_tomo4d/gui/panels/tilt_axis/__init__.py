"""The panel *Tilt axis*."""
