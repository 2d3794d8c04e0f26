"""An address as the photo of a search: fetched as extract fetches, answered as the photo itself."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import UsageError
from image_similarity.settings import Settings
from tests.support.servers import Answer, image_server
from tests.support.service import DATASET, MODEL, fitted, photo_of

RED = photo_of((250, 0, 0))


def found(workspace: Workspace, photo: str | Path) -> list[tuple[str, float | None]]:
    return [(match.product_id, match.score) for match in workspace.search(DATASET, photo, model=MODEL).matches]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(settings=Settings(root=fitted(tmp_path_factory.mktemp("shop")), precision="fp32"))


def test_an_address_is_answered_as_its_photo(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(RED)
    expected = found(workspace, tmp_path / "a.png")
    with image_server() as server:
        server.give("/a.png?w=3&h=3", Answer(RED, headers={"Content-Encoding": "aws-chunked"}))
        moved = server.give("/b.png", Answer(status=302, headers={"Location": "/a.png?w=3&amp;h=3"}))
        data = f"data:image/png;base64,{base64.b64encode(RED).decode()}"
        for address in (moved, moved.removeprefix("http:"), f"{server.address}/a.png?w=3&amp;h=3", data):
            assert found(workspace, address) == expected

        async def cell() -> bool:
            return found(workspace, moved) == expected

        assert asyncio.run(cell())
        arguments = ["-w", str(workspace.settings.root), "-d", DATASET, "--model", MODEL, "--format", "json"]
        page = tmp_path / "page.html"
        result = CliRunner().invoke(app, ["search", *arguments, moved, "--html", str(page)])
    assert result.exit_code == 0, result.output
    assert expected[0][0] in result.output
    assert page.exists()


def test_an_address_without_a_photo_is_one_sentence(workspace: Workspace) -> None:
    with image_server() as server:
        for address in (server.give("/a.png", Answer(status=404)), "http://127.0.0.1:70000/a.png", "data:,x"):
            with pytest.raises(UsageError, match="cannot be used"):
                workspace.search(DATASET, address, model=MODEL)
