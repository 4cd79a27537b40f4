"""Size and place of every particle."""
