"""Pulling models, the lock, folders that are carried, and all that goes wrong on the way."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.cli import main
from image_similarity.errors import OutputError, UsageError, WeightsError
from image_similarity.models.hub_records import RECORDS, WITH_TEXT
from image_similarity.models.inventory import pull_models, table, verify_models
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.conftest import paint
from tests.support.disk import largest_file
from tests.support.hub import COMMIT, HubServer, fabricate, lock_of, put_record
from tests.support.models import load_model, model_spec
from tests.support.tiny_networks import describe, mean_network

NAME = "SigLIP2-B-224"  # three files
UNKNOWN = "UNICOM-B32"  # one


@pytest.fixture
def offline(settings: Settings) -> Settings:
    return replace(settings, hub_address="http://127.0.0.1:9")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["image-similarity", *arguments])
    try:
        main()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name or "huggingface" in path.name]


# What a pull leaves ------------------------------------------------------------------------------------------------


def test_a_pull_brings_the_files_and_locks_them(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, NAME)
    steps: list[tuple[str, int, int | None]] = []
    (pulled,) = pull_models([NAME], online, progress=lambda stage, done, total=None: steps.append((stage, done, total)))
    models = online.root / "models"
    assert (pulled.new, pulled.revision, pulled.trusted) == (True, COMMIT, ())
    for file in record.files:
        path = models / "hub" / "onnx-community--siglip2-base-patch16-224-ONNX" / file.path
        assert path.read_bytes() == hub.files[record.repo, file.path]
        assert (f"download {file.path}", file.size, file.size) in steps
    locked = lock_of(models)["models"][NAME]
    assert (locked["repo"], locked["revision"], locked["licence"]) == (record.repo, COMMIT, record.licence)
    assert locked["files"] == {file.path: {"sha256": file.sha256, "bytes": file.size} for file in record.files}
    assert left_over(models) == []


def test_a_second_pull_asks_nobody(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, offline: Settings
) -> None:
    fabricate(monkeypatch, hub, NAME)
    pull_models([NAME], online)
    lock = (online.root / "models" / "models.lock").read_bytes()
    (again,) = pull_models([NAME, NAME], offline)
    assert not again.new
    assert (online.root / "models" / "models.lock").read_bytes() == lock


def test_only_what_is_missing_is_brought_again(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, NAME)
    pull_models([NAME], online)
    (online.root / "models" / "hub" / "onnx-community--siglip2-base-patch16-224-ONNX" / "tokenizer.json").unlink()
    hub.asked.clear()
    pull_models([NAME], online)
    assert hub.downloads == [f"/{record.repo}/resolve/{COMMIT}/tokenizer.json"]


def test_a_pull_says_nothing_of_who_asks(online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fabricate(monkeypatch, hub, NAME)
    pull_models([NAME], online)
    assert {path.split("/resolve/")[0] for _, path in hub.asked} == {f"/{RECORDS[NAME].repo}"}
    assert not any("authorization" in (name.lower() for name in headers) for headers in hub.headers)
    assert not any("torch" in headers.get("user-agent", "") for headers in hub.headers)


def test_where_no_digest_is_known_what_comes_first_is_what_it_is(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, UNKNOWN, known=False)
    (pulled,) = pull_models([UNKNOWN], online)
    assert pulled.trusted == ("model.onnx",)
    assert pulled.revision == COMMIT
    key = model_spec(ModelChoice(UNKNOWN), online).key
    file = pulled.folder / "model.onnx"
    original = file.read_bytes()
    file.write_bytes(original + b"\0")
    # The branch has moved on: the lock asks for the commit that it knows, and gets the same file.
    hub.commits = {"main": "f" * 40, COMMIT: COMMIT}
    (again,) = pull_models([UNKNOWN], online)
    assert (again.new, again.revision, again.trusted) == (False, COMMIT, ())
    assert file.read_bytes() == original
    assert model_spec(ModelChoice(UNKNOWN), online).key == key
    # And where the hub gives another file for that commit, it is refused.
    file.write_bytes(b"altered")
    hub.files[record.repo, "model.onnx"] += b"\0"
    with pytest.raises(WeightsError, match="is not what UNICOM-B32 is made of"):
        pull_models([UNKNOWN], online)


# Carried -----------------------------------------------------------------------------------------------------------


def test_a_folder_of_models_works_on_a_machine_without_internet(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, offline: Settings, tmp_path: Path
) -> None:
    fabricate(monkeypatch, hub, NAME)
    fabricate(monkeypatch, hub, UNKNOWN, known=False)
    pull_models([NAME, UNKNOWN], online, to=tmp_path / "stick")
    assert not online.root.exists()
    carried = tmp_path / "elsewhere"
    shutil.move(tmp_path / "stick", carried)
    for path in (carried, *carried.rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    there = replace(offline, models=carried)
    for name in (NAME, UNKNOWN):
        assert load_model(ModelChoice(name), there, no_progress, True).spec.name == name
    assert [file.problem for file in verify_models(there)] == [""] * 4
    states = {row.name: row.state for row in table(there)}
    assert (states[NAME], states["DINOv2-S"]) == ("pulled", "not pulled")


def test_the_environment_names_the_folder_and_the_hub(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"IMAGE_SIMILARITY_MODELS": str(tmp_path), "IMAGE_SIMILARITY_HUB_ADDRESS": "http://mirror/"}
    )
    assert (settings.models, settings.hub_address) == (tmp_path, "http://mirror/")
    assert Settings.from_environment({}).models is None


def test_the_first_versions_weights_can_be_carried_too(settings: Settings, tmp_path: Path) -> None:
    from image_similarity.models.keras_networks import NETWORKS

    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / NETWORKS["VGG"].weights.file).write_bytes(b"cut short")
    there = replace(settings, models=tmp_path, weights_address="http://127.0.0.1:9/")
    with pytest.raises(WeightsError, match="does not hold the weights of VGG"):  # it was found, and checked
        load_model(ModelChoice("VGG"), there, no_progress)
    assert [(file.name, bool(file.problem)) for file in verify_models(there)] == [("VGG", True)]


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_an_altered_file_is_refused_at_every_load(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(monkeypatch, hub, NAME)
    (pulled,) = pull_models([NAME], online)
    network = pulled.folder / "onnx" / "vision_model.onnx"
    network.write_bytes(network.read_bytes()[:-1] + b"\x07")
    with pytest.raises(WeightsError) as caught:
        load_model(ModelChoice(NAME), online, no_progress)
    message = str(caught.value)
    assert message.startswith(f"{network} is not the file that was pulled: sha256 ")
    assert message.endswith(f"Pull it again: image-similarity models pull {NAME}")
    pull_models([NAME], online)
    load_model(ModelChoice(NAME), online, no_progress)
    network.unlink()
    with pytest.raises(
        WeightsError, match=r"vision_model\.onnx: No such file or directory\. It should hold SigLIP2-B-224"
    ):
        load_model(ModelChoice(NAME), online, no_progress)


def test_a_lock_that_says_otherwise_than_the_record_is_no_way_in(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can change a file can change the lock beside it, but not the record in the program."""
    record = fabricate(monkeypatch, hub, NAME)
    (pulled,) = pull_models([NAME], online)
    network = pulled.folder / "onnx" / "vision_model.onnx"
    network.write_bytes(b"altered")
    lock = online.root / "models" / "models.lock"

    lock.write_text(lock.read_text().replace(record.file.sha256, hashlib.sha256(b"altered").hexdigest()))
    with pytest.raises(
        WeightsError, match=rf"for onnx/vision_model\.onnx of SigLIP2-B-224, its record {record.file.sha256}"
    ):
        load_model(ModelChoice(NAME), online, no_progress)


def test_a_file_that_is_not_the_one_of_the_record_is_not_kept(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, NAME)
    hub.files[record.repo, record.file.path] += b"more"
    with pytest.raises(WeightsError) as caught:
        pull_models([NAME], online)
    assert "Nothing was kept" in str(caught.value)
    assert record.file.sha256 in str(caught.value)
    assert list((online.root / "models").rglob("*.onnx")) == []
    assert not (online.root / "models" / "models.lock").exists()
    assert left_over(online.root) == []


def test_a_download_that_is_cut_short_is_not_kept(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(monkeypatch, hub, UNKNOWN, known=False)
    hub.short_by = 10
    with pytest.raises(WeightsError, match=r"cannot pull model\.onnx of Qdrant/Unicom-ViT-B-32: .* should be of size"):
        pull_models([UNKNOWN], online)
    assert left_over(online.root) == []
    assert not (online.root / "models" / "models.lock").exists()


def test_files_under_another_address_and_a_repository_with_another_name_are_found(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, UNKNOWN, known=False)
    hub.former[record.repo], hub.elsewhere = "another/name", True
    hub.files = {("another/name", path): content for (_, path), content in hub.files.items()}
    (pulled,) = pull_models([UNKNOWN], online)
    assert (pulled.folder / "model.onnx").read_bytes() == hub.files["another/name", "model.onnx"]
    assert hub.downloads[-1] == f"/another/name/kept/{COMMIT}/model.onnx"


def test_a_download_that_breaks_off_goes_on_where_it_was(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, UNKNOWN, known=False)
    hub.elsewhere, hub.breaks = True, [100, 50]
    (pulled,) = pull_models([UNKNOWN], online)
    assert (pulled.folder / "model.onnx").read_bytes() == hub.files[record.repo, "model.onnx"]
    kept = [headers for (method, path), headers in zip(hub.asked, hub.headers, strict=True) if "/kept/" in path]
    assert [headers.get("Range") for headers in kept] == [None, "bytes=100-", "bytes=150-"]


def test_a_download_that_never_gets_on_is_given_up(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(monkeypatch, hub, UNKNOWN, known=False)
    hub.elsewhere, hub.breaks = True, [100, 0]
    with pytest.raises(WeightsError, match=r"cannot pull model\.onnx of Qdrant/Unicom-ViT-B-32: "):
        pull_models([UNKNOWN], online)
    assert left_over(online.root) == []


def test_without_internet_the_error_says_what_to_do(offline: Settings) -> None:
    with pytest.raises(WeightsError) as caught:
        pull_models(["DINOv2-S"], offline)
    message = str(caught.value)
    assert message.startswith("cannot pull onnx/model.onnx of onnx-community/dinov2-small: ")
    assert "pull it on another machine into a folder (`to`)" in message
    assert "\n" not in message


@pytest.mark.parametrize("missing", ["repository", "commit", "file"])
def test_what_the_hub_does_not_have_is_named(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    record = fabricate(monkeypatch, hub, NAME)
    if missing == "repository":
        hub.files.clear()
    elif missing == "commit":
        hub.commits.clear()
    else:
        del hub.files[record.repo, record.file.path]
    whose = "hub" if missing == "repository" else "repository"
    with pytest.raises(WeightsError) as caught:
        pull_models([NAME], online)
    assert str(caught.value) == (
        f"cannot pull onnx/vision_model.onnx of {record.repo}: the {whose} has no such {missing}"
    )


def test_a_server_that_is_no_hub_is_called_so(
    settings: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(monkeypatch, hub, NAME)
    hub.commits = {COMMIT: ""}
    with pytest.raises(WeightsError, match="answers without a commit: it is no hub of models"):
        pull_models([NAME], replace(settings, hub_address=hub.address))


def test_an_unknown_name_stops_everything_before_it_begins(online: Settings, hub: HubServer) -> None:
    there = "there are EfficientNet-Lite2, .*DINOv2-S, .*, and timm"
    with pytest.raises(UsageError, match=f"there is no model 'DINOv9' to pull: {there}"):
        pull_models(["SigLIP2-B-224", "DINOv9"], online)
    assert hub.asked == []


def test_a_full_disk_leaves_what_was_there(online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    record = fabricate(monkeypatch, hub, UNKNOWN, known=False)
    with largest_file(record.file.size // 2), pytest.raises(OutputError) as caught:
        pull_models([UNKNOWN], online)
    assert str(caught.value).startswith("cannot keep model.onnx of Qdrant/Unicom-ViT-B-32: ")
    assert left_over(online.root) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "models": [1]}'])
def test_a_damaged_lock_is_named_and_never_written_over(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    fabricate(monkeypatch, hub, NAME)
    lock = online.root / "models" / "models.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(text)
    for ask in (lambda: pull_models([NAME], online), lambda: load_model(ModelChoice(NAME), online, no_progress)):
        with pytest.raises(WeightsError, match=r"models\.lock .* the models"):
            ask()
    assert lock.read_text() == text


# Commands ----------------------------------------------------------------------------------------------------------


def test_list_pull_and_verify(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGE_SIMILARITY_HUB_ADDRESS", hub.address)
    at = ("--workspace", str(tmp_path / "data"))
    fabricate(monkeypatch, hub, NAME)
    fabricate(monkeypatch, hub, UNKNOWN, known=False)
    assert run(monkeypatch, "models", "list", *at) == 0
    assert "not pulled" in capsys.readouterr().out
    assert run(monkeypatch, "models", "pull", NAME, UNKNOWN, *at, "--format", "json") == 0
    out, err = capsys.readouterr()
    assert [(row["name"], row["new"]) for row in json.loads(out)] == [(NAME, True), (UNKNOWN, True)]
    assert err == "UNICOM-B32: model.onnx had no known digest; the downloaded file's own is locked from now on\n"
    assert run(monkeypatch, "models", "list", *at, "--format", "json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows)[:3] == ["standard", "EfficientNet-Lite2", "EfficientNet-Lite0"]
    assert tuple(name for name, row in rows.items() if row["words"]) == WITH_TEXT
    assert all(row["good_for"] and bool(row["work"]) == (not name.startswith("colour")) for name, row in rows.items())
    assert set(rows[NAME]["sha256"]) == {file.path for file in RECORDS[NAME].files}
    assert rows["DINOv2-S"]["sha256"] == {"onnx/model.onnx": RECORDS["DINOv2-S"].file.sha256}
    assert run(monkeypatch, "models", "verify", *at) == 0
    assert "4 files, 0 differ from the lock file" in capsys.readouterr().err
    (tmp_path / "data" / "models" / "hub" / "Qdrant--Unicom-ViT-B-32" / "model.onnx").write_bytes(b"altered")
    assert run(monkeypatch, "models", "verify", *at, "--format", "json") == 1
    problems = [row for row in json.loads(capsys.readouterr().out) if row["problem"]]
    assert [row["name"] for row in problems] == [UNKNOWN]
    assert "is not the file that was pulled" in problems[0]["problem"]


def test_a_model_that_needs_nothing_is_pulled_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "models", "pull", "colour-shape", "-w", str(tmp_path / "data")) == 0
    assert "here" in capsys.readouterr().out
    assert run(monkeypatch, "models", "pull", "nothing", "-w", str(tmp_path / "data")) == 2


def test_a_licence_that_forbids_commercial_use_is_said_once(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGE_SIMILARITY_HUB_ADDRESS", hub.address)
    monkeypatch.chdir(tmp_path)
    record = fabricate(monkeypatch, hub, NAME)
    put_record(monkeypatch, replace(record, licence="CC-BY-NC-4.0", commercial_use=False))
    for times in (1, 0):
        assert run(monkeypatch, "models", "pull", NAME) == 0
        message = capsys.readouterr().err
        assert message.count("warning: the licence of SigLIP2-B-224 forbids commercial use: CC-BY-NC-4.0") == times
    network = describe(mean_network(tmp_path / "tiny.onnx"), commercial_use=False, licence="research only")
    paint(tmp_path / "photos" / "ball_1.png", (200, 30, 30))
    for times in (1, 0):
        assert run(monkeypatch, "fit", "-d", "shop", "--catalogue", "photos", "-m", str(network)) == 0
        assert capsys.readouterr().err.count("the licence of tiny forbids commercial use: research only") == times
    assert lock_of(tmp_path / "data" / "models")["warned"] == [NAME, "tiny"]


def test_the_library_lists_pulls_and_verifies(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricate(monkeypatch, hub, NAME)
    workspace = Workspace(settings=online)
    (pulled,) = workspace.pull_models(NAME)
    assert pulled.name == NAME
    (row,) = (row for row in workspace.models() if row.name == NAME)
    assert (row.state, row.folder) == ("pulled", str(pulled.folder))
    assert [file.problem for file in workspace.verify_models()] == ["", "", ""]
