"""Pieces of the report's page: numbers as text, tables, pictures, the page around them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape as escape

from napari_tomo4d.quantities import MISSING

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a;
  background: #fff; max-width: 64rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem;
  border-bottom: 1px solid #ccc; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.quiet, figcaption { color: #555; font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums;
  margin: .4rem 0; }
th, td { padding: .18rem .5rem; border-bottom: 1px solid #ddd; text-align: right;
  vertical-align: top; white-space: nowrap; }
th { border-bottom: 1.5px solid #555; vertical-align: bottom; white-space: normal; }
.text { text-align: left; }
.text.long { white-space: normal; min-width: 12rem; max-width: 30rem; }
td.long { overflow-wrap: anywhere; }
.doubtful { background: #fdf1e3; }
.row { display: flex; flex-wrap: wrap; gap: .8rem; }
figure { margin: .3rem 0; } .row figure { width: 14.5rem; } .row img { width: 100%; }
img { max-width: 100%; height: auto; } figure > img { max-height: 26rem; }
.empty { display: flex; align-items: center; justify-content: center; aspect-ratio: 10 / 7;
  background: #f4f4f4; font-size: 2rem; color: #777; }
@media print {
  body { font-size: 10pt; margin: 0; max-width: none; } .wide { overflow: visible; }
  table { font-size: 7pt; } th, td { padding: .1rem .22rem; } .text.long { min-width: 0; }
  .row figure { width: 31%; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .screen { display: none; }
  .doubtful, .empty { print-color-adjust: exact; }
}
@page { size: A4; margin: 14mm; }
"""


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    texts: Sequence[str] = (),
    marked: Sequence[bool] = (),
) -> str:
    """Return an HTML table.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequences of str
        Cells, one per heading; everything is escaped here.
    texts : sequence of str
        Headings of the columns that hold text, set to the left.
    marked : sequence of bool
        Rows with a coloured ground.
    """
    kinds = [_kind(h, h in texts) for h in headings]
    head = "".join(f"<th{k}>{escape(h)}</th>" for h, k in zip(headings, kinds, strict=True))
    body = []
    for i, row in enumerate(rows):
        cells = "".join(f"<td{k}>{escape(c)}</td>" for c, k in zip(row, kinds, strict=True))
        mark = ' class="doubtful"' if i < len(marked) and marked[i] else ""
        body.append(f"<tr{mark}>{cells}</tr>")
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _kind(heading: str, text: bool) -> str:
    if not text:
        return ""
    long = heading in ("remarks", "value", "parameters")
    return ' class="text long"' if long else ' class="text"'


def picture(content: bytes, kind: str, text: str, caption: str = "") -> str:
    """Return an image inside the page, with what it shows for those who can't see it."""
    data = base64.b64encode(content).decode("ascii")
    return (
        f'<figure><img src="data:{kind};base64,{data}" alt="{escape(text)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def no_picture(caption: str) -> str:
    """Return the place of a picture that can't be shown, and why."""
    return (
        f'<figure><div class="empty">{MISSING}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def download(content: str, name: str, text: str) -> str:
    """Return a link that saves a text kept inside the page."""
    data = base64.b64encode(content.encode("utf-8")).decode("ascii")
    return (
        f'<p class="screen quiet"><a download="{escape(name)}" '
        f'href="data:text/csv;charset=utf-8;base64,{data}">{escape(text)}</a></p>'
    )


def bullets(sentences: Iterable[str]) -> str:
    """Return a list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(s)}</li>" for s in sentences) + "</ul>"


def page(title: str, subtitle: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return the page.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of (heading, HTML)
        Those without content are left out.
    """
    body = "".join(
        f"<section><h2>{escape(heading)}</h2>{content}</section>"
        for heading, content in sections
        if content
    )
    # nothing may be fetched from anywhere, whatever the data's names say
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="quiet">{escape(subtitle)}</p>{body}'
        "</body></html>\n"
    )
