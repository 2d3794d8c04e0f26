"""The commands for API keys: add, list, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from image_similarity.cli import options as o
from image_similarity.cli.terminal import write

if TYPE_CHECKING:
    from datetime import datetime

    from image_similarity.service import ApiKeys

keys = typer.Typer(
    help="Add, list and remove the API keys of the service.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the key's owner, as the access log shows it.")],
    scope: Annotated[
        o.Scope, typer.Option(help="read: search; write: also change products; admin: also metrics and failures.")
    ],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires. [default: never]")] = None,
    workspace: o.Workspace = Path("data"),
) -> None:
    """Create an API key and print it, this once."""
    from image_similarity.cli import printing as show
    from image_similarity.service import KeyScope

    shown = _keys(workspace).add(name, KeyScope(scope.value), days)
    write(shown + "\n")
    show.log(f"The key is shown only this once. Send it as 'Authorization: Bearer KEY'. Scope: {scope}.")


@keys.command("list")
def list_keys(
    format: o.Formats = o.Format.table,  # noqa: A002 (the flag's name)
    workspace: o.Workspace = Path("data"),
) -> None:
    """List API keys: name, scope, expiry."""
    from image_similarity.cli import printing as show
    from image_similarity.service import utc_now

    now = utc_now()
    rows = [
        {
            "name": key.name,
            "scope": key.scope.value,
            "created": _date(key.created),
            "expires": _date(key.expires),
            "state": "expired" if key.expired(now) else "valid",
        }
        for key in _keys(workspace).all()
    ]
    if format is o.Format.json:
        show.show_json(rows)
        return
    header = ["name", "scope", "created", "expires", "state"]
    show.show_rows(header, [[row[name] or "" for name in header] for row in rows], format, "API keys")


@keys.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the key, as in the list.")],
    workspace: o.Workspace = Path("data"),
) -> None:
    """Revoke an API key; a running service rejects it at once."""
    from image_similarity.cli import printing as show

    _keys(workspace).remove(name)
    show.log(f"{name} is removed")


def _keys(root: Path) -> ApiKeys:
    from image_similarity.service import FILE, ApiKeys
    from image_similarity.settings import Settings

    return ApiKeys(Settings.from_environment(None, root=root).root / FILE)


def _date(date: datetime | None) -> str | None:
    return None if date is None else date.isoformat()
