"""A workspace whose model counts what it is asked."""

from __future__ import annotations

import pytest

from image_similarity import Settings, Workspace
from tests.support.shop import CountingModel, register


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> CountingModel:
    return register(monkeypatch)


@pytest.fixture
def workspace(model: CountingModel, settings: Settings) -> Workspace:
    return Workspace(settings=settings)
