"""Networks of timm's by name: exported once, then models like any other.

What needs PyTorch and timm is skipped where they are not installed; the rest of the way is walked with a network of
ours in the place of the exported one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_similarity import Workspace
from image_similarity.errors import ModelError, UsageError, WeightsError
from image_similarity.images.views import square
from image_similarity.models import pull, timm_export
from image_similarity.models.hub_records import NEWEST, RECORDS, HubRecord
from image_similarity.models.inventory import PulledModel, pull_models, table, verify_models
from image_similarity.models.timm_export import Exported, Exporter, check_installed, write_graph
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import InputSpec, no_progress
from tests.support.hub import HubServer, hub_server, lock_of, put_record, vision_network
from tests.support.models import load_model, model_spec
from tests.support.shop import paint_shop
from tests.support.tiny_networks import SIDE, mean_network

NAME = "timm:test_net.a1"
REPO = "timm/test_net.a1"
torch_and_timm = pytest.mark.skipif(
    any(find_spec(package) is None for package in timm_export.NEEDED), reason="PyTorch and timm are not installed"
)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        server.files[REPO, "model.safetensors"] = b"weights"
        yield server


@pytest.fixture
def online(settings: Settings, hub: HubServer) -> Settings:
    return replace(settings, hub_address=hub.address)


class Exporting:
    """Exports the network of three means, whatever the weights; records the exports."""

    def __init__(self, **changes: Any) -> None:
        self.changes, self.exports = changes, list[str]()

    def check_installed(self, name: str) -> None:
        """Nothing is needed."""

    def export(self, architecture: str, weights: Path, target: Path, whole: bool) -> Exported:
        self.exports.append(f"{architecture} {weights.read_bytes().decode()} {'whole' if whole else 'bare'}")
        target.parent.mkdir(parents=True, exist_ok=True)
        mean_network(target)
        usual = Exported(3, SIDE, (0.5, 0.3, 0.0), (0.25, 0.5, 2.0), "bicubic", 0.8, "center", "mit", "a test")
        return replace(usual, **self.changes)


def unpinned(record: HubRecord) -> HubRecord:
    """A record that trusts the weights on the hub, as they are not the real ones."""
    return replace(record, revision=NEWEST, file=replace(record.file, sha256=""))


def pulled_by(exporter: Exporter, settings: Settings, name: str = NAME) -> PulledModel:
    (pulled,) = pull_models([name], settings, exporter=exporter)
    return pulled


def test_without_the_extra_the_install_line_is_said_before_anything_is_downloaded(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    for name in (NAME, "Marqo-Ecommerce-B"):
        with pytest.raises(ModelError) as caught:
            pull_models([name], online)
        assert str(caught.value) == f"{name} needs PyTorch and timm, once: pip install 'image-similarity[torch]'"
    assert hub.asked == []


def test_a_name_becomes_a_model_like_any_other(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exporter = Exporting()
    pulled = pulled_by(exporter, online)
    assert exporter.exports == ["test_net.a1 weights bare"]
    assert (pulled.new, pulled.licence, pulled.trusted) == (True, "mit", ("model.safetensors",))
    spec = model_spec(ModelChoice(NAME), online)
    assert (spec.name, spec.dimension, spec.input) == (NAME, 3, InputSpec(SIDE, "crop", "bicubic", 5))
    assert spec.key.startswith("test_net.a1@")
    pixels = np.full((1, SIDE, SIDE, 3), (255, 102, 51), np.uint8)
    expected = np.array([2.0, 0.2, 0.1]) / np.linalg.norm([2.0, 0.2, 0.1])
    assert np.allclose(load_model(ModelChoice(NAME), online, no_progress).embed(pixels), expected, atol=1e-6)
    locked = lock_of(online.root / "models")["models"][NAME]
    assert set(locked["files"]) == {"model.onnx", "model.toml"}
    assert (set(locked["made_from"]), locked["made_by"]) == ({"model.safetensors"}, "a test")
    assert not pulled_by(exporter, online).new
    assert len(exporter.exports) == 1
    row = table(online)[-1]
    assert (row.name, row.state, row.dimension) == (NAME, "pulled", 3)
    report = Workspace(settings=online).fit("shop", paint_shop(tmp_path / "pictures"), model=NAME)
    assert report.model_key.startswith("test_net.a1@")


@pytest.mark.parametrize("file", ["model.onnx", "model.toml"])
def test_what_was_exported_cannot_be_altered(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    pulled = pulled_by(Exporting(), online)
    with (pulled.folder / file).open("ab") as opened:
        opened.write(b"\n# and more")
    with pytest.raises((WeightsError, ModelError), match=rf"{file} is not the file that"):
        load_model(ModelChoice(NAME), online, no_progress)
    assert [Path(checked.path).name for checked in verify_models(online) if checked.problem] == [file]


@pytest.mark.parametrize(
    ("licence", "commercial"),
    [("apache-2.0", True), ("cc-by-nc-4.0", False), ("", True), ("fair-noncommercial", False)],
)
def test_a_licence_is_read_for_what_it_forbids(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, licence: str, commercial: bool
) -> None:
    pulled = pulled_by(Exporting(licence=licence), online)
    assert pulled.commercial_use == commercial
    assert pulled.licence == (licence or "not stated by timm: see the page of its weights")


@pytest.mark.parametrize(("mode", "share", "resize"), [("squash", 1.0, "stretch"), ("center", 1.0, "crop")])
def test_timms_way_to_a_square_is_ours(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, mode: str, share: float, resize: str
) -> None:
    pulled_by(Exporting(crop_mode=mode, crop_pct=share), online)
    assert model_spec(ModelChoice(NAME), online).input.resize == resize


def test_a_way_to_a_square_that_we_do_not_have_is_refused(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"in an unsupported way: border, 0\.9"):
        pulled_by(Exporting(crop_mode="border", crop_pct=0.9), online)
    assert not (online.root / "models" / "models.lock").exists()


def test_a_name_that_is_none_or_was_not_pulled_is_said_so(online: Settings, hub: HubServer) -> None:
    with pytest.raises(UsageError, match="is no name of timm's"):
        model_spec(ModelChoice("timm:../up"))
    with pytest.raises(WeightsError, match=r"run `image-similarity models pull timm:test_net\.a1`"):
        load_model(ModelChoice(NAME), online, no_progress)
    with pytest.raises(UsageError, match="leave `weights` out"):
        model_spec(ModelChoice(NAME, weights=Path("a.onnx")))


def test_a_record_that_is_exported_keeps_its_own_preprocessing(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = unpinned(RECORDS["Marqo-Ecommerce-B"])
    put_record(monkeypatch, record)
    hub.files[record.repo, record.file.path] = b"weights"

    class Whole(Exporting):
        def export(self, architecture: str, weights: Path, target: Path, whole: bool) -> Exported:
            assert (architecture, whole) == ("vit_base_patch16_siglip_224", True)
            target.write_bytes(vision_network(record))
            return Exported(768, 224, (0.4,) * 3, (0.4,) * 3, "bilinear", 0.9, "center", "", "a test")

    pulled = pulled_by(Whole(), online, "Marqo-Ecommerce-B")
    assert sorted(path.name for path in pulled.folder.iterdir()) == ["model.onnx"]  # the weights are no longer needed
    model = load_model(ModelChoice("Marqo-Ecommerce-B"), online, no_progress)
    assert model.spec.input == InputSpec(224, "stretch", "bicubic")
    assert model.embed(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 768)
    assert not pulled_by(Whole(), online, "Marqo-Ecommerce-B").new
    assert pull.locked_file(pulled.folder / "model.onnx").bytes > 0


# With PyTorch ------------------------------------------------------------------------------------------------------


@torch_and_timm
def test_a_module_is_exported_and_run_beside_itself(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    body = [torch.nn.Conv2d(3, 8, 4, 4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    exported = write_graph(
        torch.nn.Sequential(*body), {**config, "crop_pct": 0.9, "crop_mode": "center"}, tmp_path / "a.onnx"
    )
    assert (exported.dimension, exported.size, exported.licence) == (8, 32, "")

    class Moody(torch.nn.Module):  # type: ignore[misc]
        def forward(self, picture: Any) -> Any:
            return torch.rand(1, 8) - 0.5 + 0 * picture.mean()

    with pytest.raises(ValueError, match="gives other numbers than the network"):
        write_graph(Moody(), {**config, "crop_pct": 0.9, "crop_mode": "center"}, tmp_path / "b.onnx")


@torch_and_timm
def test_a_network_of_timms_gives_what_timm_makes_of_a_picture(online: Settings, hub: HubServer) -> None:
    import timm
    import torch
    from PIL import Image
    from safetensors.torch import save

    torch.manual_seed(0)
    network = timm.create_model("test_vit.r160_in1k", pretrained=False).eval()
    hub.files["timm/test_vit.r160_in1k", "model.safetensors"] = save(network.state_dict())
    check_installed("timm:test_vit.r160_in1k")
    pull_models(["timm:test_vit.r160_in1k"], online)
    model = load_model(ModelChoice("timm:test_vit.r160_in1k"), online, no_progress)
    coarse = np.random.default_rng(2).integers(0, 256, (6, 9, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((300, 200), Image.Resampling.BICUBIC)
    shown = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network))
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(shown(picture)[None]), pre_logits=True).numpy()
    vector = model.embed(square(picture, model.spec.input)[None])
    assert float((vector @ expected.T / np.linalg.norm(expected)).item()) > 0.999


@torch_and_timm
def test_the_images_side_of_an_open_clip_checkpoint_is_what_is_exported(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm
    import torch
    from safetensors.torch import save

    torch.manual_seed(0)
    network = timm.create_model("test_vit", pretrained=False).eval()
    both = {f"visual.trunk.{name}": value for name, value in network.state_dict().items()}
    record = unpinned(RECORDS["Marqo-Ecommerce-B"])
    record = replace(record, dimension=1000, input=InputSpec(160, "stretch", "bicubic"), exported_from="test_vit")
    put_record(monkeypatch, record)
    hub.files[record.repo, record.file.path] = save({**both, "text.positional_embedding": torch.ones(64, 768)})
    pull_models([record.name], online)
    pixels = np.random.default_rng(2).integers(0, 256, (1, 160, 160, 3), np.uint8)
    vector = load_model(ModelChoice(record.name), online, no_progress).embed(pixels)
    with torch.no_grad():
        expected = network(torch.from_numpy((pixels / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).float()).numpy()
    assert float((vector @ expected.T / np.linalg.norm(expected)).item()) > 0.999


@torch_and_timm
def test_weights_of_another_network_are_refused(online: Settings, hub: HubServer) -> None:
    hub.files["timm/test_vit.r160_in1k", "model.safetensors"] = b"no weights"
    with pytest.raises(ModelError, match=r"cannot be exported from .*: ") as caught:
        pull_models(["timm:test_vit.r160_in1k"], online)
    assert "\n" not in str(caught.value)
    assert not (online.root / "models" / "models.lock").exists()
