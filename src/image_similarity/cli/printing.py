"""Print results: as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from image_similarity.cli.options import Format
from image_similarity.cli.terminal import (
    in_unicode,
    log as log,
    visible,
    visible_in_json,
    with_flags,
    write,
)
from image_similarity.search import probability_text, score_texts
from image_similarity.util.plain_values import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from image_similarity.fit import FitReport
    from image_similarity.fitting import ExtractReport
    from image_similarity.search import Answer
    from image_similarity.types import Counts, Failure

SHOWN_FAILURES = 20
MIN_MODEL_WIDTH = 14  # characters of a model's name that are never folded


def show_answer(answer: Answer, how: Format) -> None:
    """Print one query and its products."""
    if how is Format.json:
        show_json(answer)
        return
    plain = how is Format.csv
    columns: dict[str, Sequence[object]] = {
        "rank": [match.rank for match in answer.matches],
        "product": [match.product_id for match in answer.matches],
        "title": [shown.product.title for shown in answer.shown],
        "score": [match.score for match in answer.matches] if plain else score_texts(answer.matches),
    }
    if answer.no_match is not None:
        columns["probability"] = [match.probability if plain else probability_text(match) for match in answer.matches]
    if answer.explained:
        columns["why"] = [why.words for why in answer.explained.whys]
    columns["image"] = [match.image_id for match in answer.matches]
    title = answer.query.product.title
    name = answer.query.product.product_id + (f", {title}" if title else "")
    if answer.matches or plain:
        show_rows(list(columns), list(zip(*columns.values(), strict=True)), how, f"Most like {name}")
    if answer.note:
        log(with_flags(answer.note))


def show_failures(failures: Sequence[tuple[str, Failure]], how: Format) -> None:
    """Print each failure as a row."""
    header = ["job", "stage", "product", "image", "address", "reason"]
    rows = [[job, f.stage, f.product_id, f.image_id, f.location, f.reason] for job, f in failures]
    if how is Format.json:
        show_json([dict(zip(header, row, strict=True)) for row in rows])
        return
    if how is Format.table and not rows:
        log("all images could be used")
        return
    show_rows(header, rows, how, "Unusable images")


def show_counts(verb: str, counts: Counts, failures: Sequence[Failure], dataset: str) -> None:
    """Print the summary of a run: counts, and the images that failed."""
    log(f"{counts.seen} images seen: {counts.done} {verb}, {counts.known} already known, {counts.failed} failed")
    if counts.repaired:
        log(f"{counts.repaired} of those {verb} came from files that were cut short, with almost nothing missing")
    for failure in failures[:SHOWN_FAILURES]:
        place = failure.image_id or failure.location
        log(f"  {failure.stage}: {place} of product {failure.product_id} ({failure.location}): {failure.reason}")
    if len(failures) > SHOWN_FAILURES:
        log(f"  and {len(failures) - SHOWN_FAILURES} more: image-similarity failures --dataset {dataset!r}")


def show_report(report: FitReport | ExtractReport, facts: Mapping[str, object]) -> None:
    """Print a run's report as JSON, with everything that its text form contains."""
    counts = report.counts
    show_json(
        {
            "seen": counts.seen,
            "done": counts.done,
            "known": counts.known,
            "failed": counts.failed,
            "repaired": counts.repaired,
            **facts,
            "notes": report.notes,
            "failures": report.failures,
        }
    )


def show_overridden(products: int) -> None:
    """Print how many of the catalogue's products a fit did not change, because they were upserted or deleted."""
    if products:
        log(f"{products} products of the catalogue are kept as upserted or deleted through the service")


def show_json(value: Any) -> None:
    """Print one JSON document, from a record or from plain values."""
    write(visible_in_json(json.dumps(plain(value), ensure_ascii=not in_unicode(), indent=2, allow_nan=False)) + "\n")


def show_rows(header: Sequence[str], rows: Sequence[Sequence[object]], how: Format, title: str) -> None:
    """Print a table, or the same as CSV. A cell that is a list has several lines."""
    if how is Format.csv:
        _show_csv(header, rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(visible(title)), title_justify="left", title_style="bold")
    shown = [[Text(_cell(cell)) for cell in row] for row in rows]
    for place, name in enumerate(header):
        width = max(len(row[place]) for row in shown) if name == "model" and rows else None
        side: Literal["left", "right"] = "right" if name in ("rank", "score") else "left"
        table.add_column(name, justify=side, overflow="fold", min_width=width and min(width, MIN_MODEL_WIDTH))
    for cells in shown:
        table.add_row(*cells)
    console = Console()
    with console.capture() as captured:
        console.print(table)
    write(captured.get())


def _show_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print exact values; on a terminal, with control characters escaped."""
    shown = visible if sys.stdout.isatty() else str
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([shown(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    write(written.getvalue())


def _cell(cell: object) -> str:
    return "\n".join(visible(str(line)) for line in (cell if isinstance(cell, list) else [cell]))
