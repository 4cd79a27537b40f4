"""Widgets that know neither viewer nor stage."""
