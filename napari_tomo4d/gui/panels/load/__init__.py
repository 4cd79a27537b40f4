"""The panel *Load*."""
