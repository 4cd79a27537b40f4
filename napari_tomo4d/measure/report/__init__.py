"""Figures, tables and the report of a sintering experiment."""
