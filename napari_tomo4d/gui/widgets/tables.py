"""What tables of Qt have in common."""

from __future__ import annotations

from qtpy.QtWidgets import QHeaderView, QTableView


def headers_of(table: QTableView) -> tuple[QHeaderView, QHeaderView]:
    """Return the headers of a table's columns and of its rows, which it always has."""
    columns, rows = table.horizontalHeader(), table.verticalHeader()
    assert columns is not None
    assert rows is not None
    return columns, rows
