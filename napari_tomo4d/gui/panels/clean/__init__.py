"""The panel *Clean*."""
