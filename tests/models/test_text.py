"""Searching by words: the tokens, the network beside another runtime, and the answers."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession  # type: ignore[import-untyped]

from image_similarity import Workspace
from image_similarity.cli import main
from image_similarity.dataset import Dataset
from image_similarity.errors import ModelError, UsageError, WeightsError
from image_similarity.models.inventory import pull_models
from image_similarity.models.projection import Projection, write_projection
from image_similarity.models.recipe import Recipe
from image_similarity.models.resolver import projection_folder
from image_similarity.models.text import OpenVinoTextModel, load_text_model
from image_similarity.models.unit_vectors import unit_length
from image_similarity.options import ModelChoice, Query
from image_similarity.search.answer import Answer
from image_similarity.search.query_vector import query_vector
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.conftest import paint
from tests.support.hub import WORDS, HubServer, fabricate, put_record
from tests.support.models import load_model, model_named, model_spec
from tests.support.shop import BLUE, paint_shop

BOTH = pytest.mark.parametrize("name", ["Marqo-FashionSigLIP", "SigLIP2-B-224"])  # the two forms of encoders


def loaded(name: str, settings: Settings) -> OpenVinoTextModel:
    pull_models([name], settings)
    model = load_text_model(model_named(ModelChoice(name, precision="fp32"), settings), settings)
    assert isinstance(model, OpenVinoTextModel)
    return model


def found(answer: Answer) -> list[str]:
    return [match.product_id for match in answer.matches]


# Tokens and vectors ------------------------------------------------------------------------------------------------


@BOTH
def test_a_text_becomes_its_words_and_an_end(
    name: str, online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = fabricate(monkeypatch, hub, name).text
    assert side is not None
    model = loaded(name, online)
    comma = [2] if side.punctuation else []
    assert model.tokens("Red trail, GREEN") == [WORDS["red"], 2, *comma, WORDS["green"], side.end]
    assert (model.tokens("red_green") == model.tokens("red green")) != side.punctuation
    assert model.tokens("") == [side.end]
    long = model.tokens("red " * 200)
    assert (len(long), long[-2:]) == (side.length, [WORDS["red"], side.end])


@BOTH
def test_vectors_are_those_of_another_runtime_and_a_text_does_not_depend_on_its_neighbours(
    name: str, online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, name)
    side = record.text
    assert side is not None
    model = loaded(name, online)
    texts = ["red", "a blue ball", "green orange"]
    vectors = model.embed(texts)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    path = online.root / "models" / "hub" / record.repo.replace("/", "--") / side.file.path
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    for text, vector in zip(texts, vectors, strict=True):
        tokens = model.tokens(text)
        blank = side.length - len(tokens)
        given = {"input_ids": [*tokens, *[side.pad] * blank], "attention_mask": [1] * len(tokens) + [0] * blank}
        (row,) = session.run([side.output], {each: np.array([given[each]]) for each in names})[0]
        assert np.allclose(vector, row / np.linalg.norm(row), atol=1e-5)
        assert model.embed([text])[0].tobytes() == vector.tobytes()
    assert model.embed([]).shape == (0, record.dimension)


@BOTH
def test_a_word_lies_nearest_the_picture_that_it_fits(
    name: str, online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = fabricate(monkeypatch, hub, name).input.size
    texts = loaded(name, online).embed(["red", "blue"])
    colours = np.array([(250, 0, 0), BLUE], np.uint8)
    pixels = np.broadcast_to(colours[:, None, None], (2, size, size, 3))
    pictures = load_model(ModelChoice(name, precision="fp32"), online, no_progress).embed(pixels)
    assert (texts @ pictures.T).argmax(axis=1).tolist() == [0, 1]


def test_the_query_is_the_weighted_sum_of_both() -> None:
    text, photo = np.array([[1, 0, 0]], np.float32), np.array([[0, 1, 0]], np.float32)
    assert query_vector(text, None, 0.2) is text
    assert query_vector(None, photo, 0.5) is photo
    assert np.allclose(query_vector(text, photo, 0.8), [[0.8, 0.2, 0]])
    assert np.allclose(query_vector(text, photo, 0), photo)
    assert np.allclose(query_vector(text, photo, 1), text)


def test_in_a_mixture_a_text_scores_as_in_the_parts_that_read_it() -> None:
    recipe = Recipe("mixture", ("a", "b", "c"), (1.0, 0.5, 0.3))
    sizes = (4, 3, 2)
    drawn = np.random.default_rng(5)
    images, (text, other, _) = (
        [unit_length(drawn.normal(size=(rows, size)).astype(np.float32), "drawn") for size in sizes] for rows in (6, 1)
    )
    rows = recipe.joined(images)
    assert np.allclose(rows @ recipe.of_some([text, None, None], sizes).T, images[0] @ text.T, atol=1e-6)
    by_share = (images[0] @ text.T + 0.5 * images[1] @ other.T) / 1.5
    assert np.allclose(rows @ recipe.of_some([text, other, None], sizes).T, by_share, atol=1e-6)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_is_a_share(weight: float) -> None:
    with pytest.raises(UsageError, match="`text_weight` is a number from 0 to 1"):
        Query(text="red", text_weight=weight)


# Answers -----------------------------------------------------------------------------------------------------------


@BOTH
def test_words_find_products_and_a_photo_may_help(
    name: str, online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fabricate(monkeypatch, hub, name)
    workspace = Workspace(settings=online)
    workspace.pull_models(name)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=name)
    assert found(workspace.search("shop", model=name, text="something blue", number=1)) == ["blue"]
    assert found(workspace.search("shop", model=name, text="Red", number=1)) == ["red"]
    photo = paint(tmp_path / "photo.png", BLUE)
    by = {weight: workspace.search("shop", photo, model=name, text="green", text_weight=weight) for weight in (0, 1)}
    assert found(by[0])[0] == "blue"
    assert found(by[1])[0] == "green"
    alone = workspace.search("shop", photo, model=name)
    assert [match.score for match in by[0].matches] == [match.score for match in alone.matches]
    half = {
        match.product_id: match.score for match in workspace.search("shop", photo, model=name, text="green").matches
    }
    assert min(half["green"] or 0, half["blue"] or 0) > max(half["red"] or 0, half["orange"] or 0)
    reason = "a text has no match probability: it describes many products, not one"
    with pytest.raises(UsageError, match=f"`min_match` cannot be used here: {reason}"):
        workspace.search("shop", photo, model=name, text="green", min_match=0.5)


def test_in_a_mixture_the_part_that_reads_text_answers(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, mixture = "SigLIP2-B-224", "SigLIP2-B-224+0.4*colour"
    fabricate(monkeypatch, hub, name)
    workspace = Workspace(settings=online)
    workspace.pull_models(name)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=mixture)
    photo = paint(tmp_path / "photo.png", BLUE)

    def scores(query: Path | None = None, model: str = mixture, **changes: Any) -> dict[str, float]:
        matches = workspace.search("shop", query, model=model, **changes).matches
        return {match.product_id: match.score or 0 for match in matches}

    words = scores(text="something blue")
    assert words == pytest.approx(scores(text="something blue", model=name), abs=2e-3)
    assert max(words, key=lambda each: words[each]) == "blue"
    pictured, both = scores(photo), scores(photo, text="orange", text_weight=0.7)
    only_orange = scores(text="orange")
    assert both == pytest.approx({each: 0.7 * only_orange[each] + 0.3 * pictured[each] for each in both}, abs=2e-2)
    assert scores(text="something blue", match="shape") == words
    with pytest.raises(UsageError, match="a `text` cannot be compared by colour: leave `match` out"):
        scores(text="something blue", match="colour")


def test_words_ask_the_same_model_without_what_was_learned(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "SigLIP2-B-224"
    fabricate(monkeypatch, hub, name)
    workspace = Workspace(settings=online)
    workspace.pull_models(name)
    key = workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=name).model_key
    dimension = model_spec(ModelChoice(name), online).dimension
    projection = Projection.of(np.zeros(dimension), np.random.default_rng(0).standard_normal((dimension, 16)))
    write_projection(projection_folder(online, Dataset.named("shop"), key), projection, {})
    with workspace.open("shop", f"{name}+adapted") as learned:
        assert learned.reads_text
        assert learned.search(None, text="red").matches == workspace.search("shop", model=name, text="red").matches


def test_words_that_say_nothing_are_refused_and_cost_no_other_search_its_answer(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fastapi.testclient import TestClient

    from image_similarity.service.app import create_app
    from image_similarity.service.options import ServiceOptions

    mixture = "SigLIP2-B-224+0.4*colour"
    fabricate(monkeypatch, hub, "SigLIP2-B-224")
    workspace = Workspace(settings=online)
    workspace.pull_models("SigLIP2-B-224")
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=mixture)
    with pytest.raises(UsageError, match="the text 'warm and cosy' cannot be used: the model finds nothing in it"):
        workspace.search("shop", model=mixture, text="warm and cosy")
    options = ServiceOptions(Dataset.named("shop"), (ModelChoice(mixture),))
    with TestClient(create_app(options, online), base_url="http://127.0.0.1") as client, ThreadPoolExecutor(8) as pool:
        texts = ["red", "warm and cosy", "blue", "warm"] * 4
        answers = list(pool.map(lambda each: client.post("/v1/search", json={"text": each}), texts))
    assert [each.status_code for each in answers] == [200, 422, 200, 422] * 4
    assert "cannot be used: the model finds nothing" in answers[1].json()["detail"]


def test_the_command_searches_by_words(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGE_SIMILARITY_HUB_ADDRESS", hub.address)
    monkeypatch.chdir(tmp_path)
    paint_shop(tmp_path / "photos")
    photo = paint(tmp_path / "photo.png", BLUE)
    fabricate(monkeypatch, hub, "SigLIP2-B-224")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["image-similarity", *arguments])
        try:
            main()
        except SystemExit as stopped:
            return int(stopped.code or 0)
        return 0

    at = ("-d", "shop", "-m", "SigLIP2-B-224")
    assert run("models", "pull", "SigLIP2-B-224") == 0
    assert run("fit", *at, "--catalogue", "photos") == 0
    capsys.readouterr()
    assert run("search", "--text", "red trail running shoe", *at, "-n", "2", "--format", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["query"] == {"product_id": "words", "title": "red trail running shoe", "image": ""}
    assert [match["product_id"] for match in answer["matches"]] == ["red", "orange"]
    assert run("search", str(photo), "--text", "green", "--text-weight", "0.9", *at, "--html", "found.html") == 0
    assert "Products like green" in (tmp_path / "found.html").read_text()
    capsys.readouterr()
    assert run("search", *at) == 2
    assert "there is nothing to search for: give a photo or a --text" in capsys.readouterr().err
    assert run("search", "--text", " ", *at) == 2
    assert run("search", "--text", "red", "-d", "shop", "-m", "colour-shape") == 2
    assert (
        "colour-shape has no text encoder: fit the dataset with Marqo-FashionSigLIP, SigLIP2-B-384 or SigLIP2-B-224"
        in capsys.readouterr().err
    )


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_a_side_that_is_missing_or_altered_is_named(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, "SigLIP2-B-224")
    with pytest.raises(WeightsError, match="models pull SigLIP2-B-224"):
        load_text_model(model_named(ModelChoice("SigLIP2-B-224"), online), online)
    (pulled,) = pull_models(["SigLIP2-B-224"], online)
    (pulled.folder / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"tokenizer\.json is not the file that was pulled"):
        load_text_model(model_named(ModelChoice("SigLIP2-B-224"), online), online)
    assert record.text is not None
    hub.files[record.repo, "tokenizer.json"] = b"{}"
    loosened = replace(record, text=replace(record.text, tokenizer=replace(record.text.tokenizer, sha256="")))
    put_record(monkeypatch, loosened)
    (pulled.folder / "tokenizer.json").unlink()
    (online.root / "models" / "models.lock").unlink()
    pull_models(["SigLIP2-B-224"], online)
    with pytest.raises(ModelError, match=r"tokenizer\.json is no tokeniser: "):
        load_text_model(model_named(ModelChoice("SigLIP2-B-224"), online), online)


def test_a_network_of_another_form_is_refused(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, "SigLIP2-B-224")
    side = record.text
    assert side is not None
    pull_models(["SigLIP2-B-224"], online)
    for change, reason in (
        ({"output": "sentence_embedding"}, "has no output 'sentence_embedding'"),
        ({"file": record.file}, r"takes \['pixel_values'\]: only input_ids and attention_mask are supported"),
    ):
        put_record(monkeypatch, replace(record, text=replace(side, **change)))
        with pytest.raises(ModelError, match=reason):
            load_text_model(model_named(ModelChoice("SigLIP2-B-224"), online), online)
    put_record(monkeypatch, replace(record, dimension=512))
    with pytest.raises(ModelError, match="a text, SigLIP2-B-224 has 512 an image"):
        load_text_model(model_named(ModelChoice("SigLIP2-B-224"), online), online)
