"""``fit --model auto``: the best of the models at hand; chance among many does not replace ``standard``."""

from __future__ import annotations

from pathlib import Path

from image_similarity.catalogue import open_source
from image_similarity.dataset import Dataset
from image_similarity.models import STANDARD_MIXTURE
from image_similarity.quality import select_model
from image_similarity.settings import Folders, Settings
from tests.quality.test_adapt import catalogue
from tests.support.tiny_networks import describe, mean_network

SHOP = Dataset.named("shop")


def tiny(settings: Settings) -> str:
    """A network in the workspace's folder of models, by the path of its description."""
    folder = Folders(settings.root).models
    folder.mkdir(parents=True)
    return str(describe(mean_network(folder / "tiny.onnx")))


def test_where_nothing_else_is_at_hand_it_is_standard(settings: Settings) -> None:
    selection = select_model([], SHOP, settings)
    assert (selection.model, selection.candidates) == ("standard", ())
    assert selection.reason.startswith("no other model is at hand")


def test_each_network_and_pairs_are_compared_and_standard_stays_unless_another_is_clearly_better(
    settings: Settings, tmp_path: Path
) -> None:
    other = tiny(settings)
    source = open_source(catalogue(tmp_path / "pictures", 30, 100, images=2), settings=settings)
    selection = select_model(source, SHOP, settings, photos=30)
    tried = {row.model: row for row in selection.candidates}
    networks = ("EfficientNet-Lite2", "EfficientNet-Lite0", other)
    alone = {f"{network}+{share}*colour" for network in networks for share in ("0.2", "0.4")}
    assert alone < set(tried) and STANDARD_MIXTURE in tried
    assert len(tried) == 12, "three networks and their three pairs, each with two shares of colour"
    assert [row.error for row in selection.candidates] == sorted(row.error for row in selection.candidates)
    for row in tried.values():
        assert row.leave_one_out is not None and row.simulated is not None
        assert row.error == ((1 - row.leave_one_out) * (1 - row.simulated)) ** 0.5
        assert row.images_per_second > 0
    best = selection.candidates[0]
    clearly = best.error < 0.9 * tried[STANDARD_MIXTURE].error
    assert selection.model == (best.model if clearly else "standard")
    assert not Folders(settings.root).database.exists(), "the sample is not kept"


def test_a_sample_too_small_to_learn_from_leaves_standard(settings: Settings, tmp_path: Path) -> None:
    tiny(settings)
    source = open_source(catalogue(tmp_path / "pictures", 3, 100, images=2), settings=settings)
    selection = select_model(source, SHOP, settings, photos=3)
    assert selection.model == "standard"
    assert "at least 30 are needed" in selection.reason
