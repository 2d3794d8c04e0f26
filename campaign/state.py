"""The content of a workspace, read with SQLite and as files, to compare two of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

TABLES = {
    "images": "SELECT * FROM images_shop ORDER BY image_id",
    "products": "SELECT * FROM products_shop ORDER BY item_id",
    "failures": "SELECT * FROM failures_shop ORDER BY job, image_id",
    "recommendations": (
        "SELECT model, number, product, matches FROM recommendations JOIN fits ON fits.id = fit WHERE fit IN "
        "(SELECT max(id) FROM fits WHERE finished NOT NULL GROUP BY model) ORDER BY model, number"
    ),
}
UNFINISHED = ("*.part", "*.pairs")


def database(workspace: Path) -> Path:
    """The path of the feature store."""
    return workspace / "database" / "features.db"


def sound(workspace: Path) -> bool:
    """Whether the feature store passes SQLite's integrity check, or does not exist yet."""
    if not database(workspace).exists():
        return True
    with closing(sqlite3.connect(database(workspace))) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def held(workspace: Path) -> dict[str, object]:
    """The result of a fit that is the same after every fit of the same catalogue."""
    return _held(workspace, "true")


def found(workspace: Path) -> dict[str, object]:
    """The same without the inactive rows of removed images, which are kept in case these return."""
    return _held(workspace, "active")


def inactive_rows(workspace: Path) -> int:
    """The number of inactive rows, of removed images."""
    with closing(sqlite3.connect(f"file:{database(workspace)}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM features_shop WHERE NOT active").fetchone()[0])


def _held(workspace: Path, which: str) -> dict[str, object]:
    with closing(sqlite3.connect(f"file:{database(workspace)}?mode=ro", uri=True)) as connection:
        columns = sorted(row[1] for row in connection.execute('PRAGMA table_info("features_shop")'))
        quoted = ", ".join(f'"{name}"' for name in columns)
        found: dict[str, object] = {
            "features": connection.execute(f"SELECT {quoted} FROM features_shop WHERE {which} ORDER BY id").fetchall()
        }
        for name, query in TABLES.items():
            found[name] = connection.execute(query).fetchall()
    files = sorted((workspace / "trained_models").glob("[!.]*"))
    return found | {path.name: path.read_bytes() for path in files}


def differences(found: dict[str, object], expected: dict[str, object]) -> list[str]:
    """The names of the parts that differ."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def leftovers(workspace: Path) -> list[str]:
    """Temporary files, and index folders that are not the current one."""
    found = [path for pattern in UNFINISHED for path in workspace.rglob(pattern)]
    for current in workspace.rglob("current"):
        name = current.read_text().strip()
        found += [path for path in current.parent.glob("g*") if path.name != name]
    return sorted(str(path.relative_to(workspace)) for path in found)


def contradictions(workspace: Path) -> list[str]:
    """Images that have active features but are in no catalogue, or the other way round."""
    with closing(sqlite3.connect(f"file:{database(workspace)}?mode=ro", uri=True)) as connection:
        active = {row[0] for row in connection.execute(
            "SELECT DISTINCT substr(id, 1, length(id) - length(view) - 1) FROM features_shop WHERE active"
        )}  # fmt: skip
        images = {row[0] for row in connection.execute("SELECT image_id FROM images_shop")}
    return [f"found, in no catalogue: {name}" for name in sorted(active - images)] + [
        f"in the catalogue, never found: {name}" for name in sorted(images - active)
    ]
