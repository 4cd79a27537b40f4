"""Where files are to be written: asked for in one way, by the names that are really written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

_NAMED = 4
"""So many files are named in a question."""

Files = Callable[[str], Sequence[str | Path]]
"""Returns all files that are written for a path that was chosen."""


def ask_where(
    parent: QWidget,
    title: str,
    name: str,
    kind: str,
    ending: str,
    files: Files | None = None,
) -> str:
    """Ask for a file to write, and whether what is there may be replaced.

    Parameters
    ----------
    parent : QWidget
    title : str
    name : str
        What to begin with, without the ending.
    kind : str
        What is written, such as "Table".
    ending : str
        Such as ".csv" or ".ome.zarr", given to a name that does not end like its last part.
    files : callable, optional
        What is written if that is not the path itself.

    Returns
    -------
    str
        The path with its ending; empty if nothing is to be written.
    """
    # the dialog's own question would be of the name without the ending, before it is given
    options = QFileDialog.Option.DontConfirmOverwrite
    last = Path(ending).suffix or ending
    path, _ = QFileDialog.getSaveFileName(
        parent, title, f"{name}{ending}", f"{kind} (*{last})", "", options
    )
    if not path:
        return ""
    if not path.lower().endswith(last):
        path += ending
    return path if may_replace(parent, files(path) if files else [path]) else ""


def ask_folder(parent: QWidget, title: str, files: Files) -> str:
    """Ask for a folder to write into, and whether files that are there may be replaced.

    Parameters
    ----------
    parent : QWidget
    title : str
    files : callable
        Returns what is written into a folder.

    Returns
    -------
    str
        Empty if nothing is to be written.
    """
    folder = QFileDialog.getExistingDirectory(parent, title)
    return folder if folder and may_replace(parent, files(folder)) else ""


def may_replace(parent: QWidget, files: Sequence[str | Path]) -> bool:
    """Ask whether files that exist may be replaced; true at once if none does."""
    there = [path for path in map(Path, files) if path.exists()]
    if not there:
        return True
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    # the type hints know no two buttons
    both: Any = yes | no
    return bool(QMessageBox.question(parent, "Replace?", _question(there), both, no) == yes)


def _question(there: Sequence[Path]) -> str:
    if len(there) == 1:
        (path,) = there
        what = "The folder, with all that it holds," if path.is_dir() else "It"
        return f"“{path.name}” is in {path.parent} already. {what} would be replaced. Go on?"
    names = ", ".join(f"“{path.name}”" for path in there[:_NAMED])
    more = len(there) - _NAMED
    names += f" and {more} more" if more > 0 else ""
    return f"In {there[0].parent} there are already {names}. They would be replaced. Go on?"
