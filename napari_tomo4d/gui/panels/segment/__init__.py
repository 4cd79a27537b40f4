"""The panel *Segment*."""
