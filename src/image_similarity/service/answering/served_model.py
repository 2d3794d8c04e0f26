"""One model that the service answers with: its network, the state that is asked now, and the threads that answer.

One thread brings photos through the network, another looks for the products: while it does, the next photos are in the
network already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import ImageError, ImageSimilarityError, UsageError
from image_similarity.index.filter_language import parse_filter
from image_similarity.models.unit_vectors import NOTHING, each_row, is_usable
from image_similarity.search.collection_state import State, next_state
from image_similarity.search.match_probability import AGGREGATE, OLDER, Judge, Judged
from image_similarity.search.part_weights import LIKES, weighing
from image_similarity.search.text_query import Words, query_vector
from image_similarity.service import schemas
from image_similarity.service.answering.batching import Batches
from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.records import CatalogueRecords
from image_similarity.types import ProductMatch, no_progress

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.models.choice import ModelChoice
    from image_similarity.search.chosen import Embedder, Squares
    from image_similarity.search.part_weights import Like
    from image_similarity.settings import Settings
    from image_similarity.types import Product, TextModel

Vectors = NDArray[np.floating]
FOLDERS = re.compile(r"[^+*]*[/\\\\](?=[^/\\\\+*]+)")
"""What stands before the name of a model's file."""
NETWORKS = Lock()
"""One thread at a time gives pictures to networks: OpenVINO's tensors want it so, and the processor is busy anyway."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, ready for the network.

    ``squares``: of each photo of one thing; none: only words. ``product_id``: of a product instead.
    """

    number: int
    squares: Sequence[Squares] = ()
    plain: bool = False
    words: Words | None = None
    product_id: str | None = None
    filter: str | None = None
    like: Like | None = None
    min_match: float | None = None

    @property
    def is_one_photo(self) -> bool:
        """Whether its scores are such as a calibration knows."""
        return len(self.squares) == 1 and self.words is None and self.like is None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and the products' texts; None where the product that was asked with is not there."""

    judged: Judged
    shown: Sequence[schemas.Match]


Question = tuple[Asked, Vectors | None]
"""What was asked, and the vector that it is asked with; None for a product."""


class ServedModel:
    """A model of the service. Any thread may :meth:`ask`.

    Args:
        choice: as it was asked for.
        embedder: its networks.
        alone: the same for a photo that comes alone, with all processors for it; None where that makes no difference.
        state: what answers at first.
        dataset: whose.
        settings: where the workspace is.
        batch: questions answered together at most.
    """

    def __init__(
        self,
        choice: ModelChoice,
        embedder: Embedder,
        alone: Embedder | None,
        state: State,
        dataset: Dataset,
        settings: Settings,
        batch: int,
    ) -> None:
        self.choice, self.chosen, self.embedder, self.state = choice, state.model, embedder, state
        self.alone = alone or embedder
        self._dataset, self._settings = dataset, settings
        self._records: CatalogueRecords | None = None
        self._calibration: tuple[int, Judge] | None = None
        self._seeing: Batches[Asked, Vectors] = Batches(self._vectors, batch, f"sees {self.name}")
        self._answering: Batches[Question, Found | None] = Batches(self._answer, batch, f"answers {self.name}")

    @property
    def name(self) -> str:
        """As requests name it: where a model's file lies on this machine is nobody else's business."""
        return FOLDERS.sub("", self.chosen.name)

    def ask(self, asked: Asked) -> Future[Found | None]:
        """The answer, when it is there; None where the product that was asked with is not there."""
        if asked.product_id is not None:
            return self._answering.submit((asked, None))
        answer: Future[Found | None] = Future()
        self._seeing.submit(asked).add_done_callback(lambda seen: self._go_on(asked, seen, answer))
        return answer

    @property
    def waiting(self) -> int:
        """Photos and words that no network has been given yet."""
        return self._seeing.waiting

    def close(self) -> None:
        """Answer what is waiting, then end."""
        self._seeing.close()
        self._answering.close()

    def refresh(self, database: Database) -> bool:
        """Take the present state; False where it is the one that answers already."""
        newer = next_state(self.state, database, self._settings)
        if newer is self.state:
            return False
        self.state = newer
        return True

    def embed_views(self, pixels: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Views ``(n, size, size, 3)`` to vectors ``(n, dimension)``, by the keys of some of its networks."""
        with NETWORKS:
            rows = {key: each_row(partial(self._embed, key), [views]) for key, views in pixels.items()}
        vectors = {}
        for key, (row,) in rows.items():
            if isinstance(row, ImageError):
                raise row
            vectors[key] = row
        return vectors

    def _embed(self, key: str, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self.embedder.models[key].embed(views[0])[None]

    @cached_property
    def likes(self) -> list[Like]:
        """What only may count."""
        return [like for like in LIKES if self._can(like)]

    @property
    def calibrated(self) -> bool:
        """Whether it is known how sure an answer is."""
        return self._judge(None).kept is not None

    @cached_property
    def text(self) -> TextModel | None:
        """Its side for words; None where it has none, or it is not here."""
        from image_similarity.models.text import load_text_model

        try:
            return load_text_model(self.chosen.parts[0], self._settings, no_progress)
        except ImageSimilarityError:
            return None

    def _can(self, like: Like) -> bool:
        try:
            weighing(like, self.chosen)
        except UsageError:
            return False
        return True

    def _judge(self, min_match: float | None) -> Judge:
        """What says how sure matches are; the calibration's file is read when it has changed."""
        written = self.state.calibrated_at(self._dataset, self._settings)
        if self._calibration is None or self._calibration[0] != written:
            judge = self.state.judge(self._dataset, self._settings, AGGREGATE, None)
            self._calibration = written, judge
        judge = self._calibration[1]
        # The catalogue changes all day here: that it has is no news.
        return Judge(judge.kept, min_match, "" if judge.note == OLDER else judge.note)

    def _go_on(self, asked: Asked, seen: Future[Vectors], answer: Future[Found | None]) -> None:
        """From the network to the search."""
        if seen.exception() is not None:
            _pass_on(seen, answer)
        elif not answer.cancelled():
            found = self._answering.submit((asked, seen.result()))
            found.add_done_callback(lambda ended: _pass_on(ended, answer))

    def _vectors(self, batch: Sequence[Asked]) -> list[Vectors | Exception]:
        """The vector of each question, ``(1, dimension)``: its photo's, its words', or both; one pass for all."""
        photos = [squares for each in batch for squares in each.squares]
        texts = [each.words.text for each in batch if each.words is not None and self.text is not None]
        with NETWORKS:
            embedder = self.alone if len(photos) == 1 else self.embedder
            seen = iter(embedder.each(photos))
            read = iter(each_row(self.text.embed, texts) if self.text is not None else ())
        vectors = list[Vectors | Exception]()
        for asked in batch:
            own = [next(seen) for _ in asked.squares]
            said = [next(read)] if asked.words is not None and self.text is not None else []
            failed = next((each for each in (*own, *said) if isinstance(each, ImageError)), None)
            if failed is not None:
                vectors.append(failed if failed in own else UsageError(f"the words cannot be used: {failed.reason}"))
                continue
            words, photos_of_one = (
                np.stack([each for each in rows if not isinstance(each, ImageError)]) if rows else None
                for rows in (said, own)
            )
            vector = weighing(asked.like, self.chosen)(query_vector(words, photos_of_one, asked.words))
            vectors.append(vector if is_usable(vector) else ImageError("embed", NOTHING))
        return vectors

    def _answer(self, batch: Sequence[Question]) -> list[Found | Exception | None]:
        """Answer questions together: one search for those that are searched alike."""
        state = self.state
        alike: dict[tuple[int, str | None], list[int]] = {}
        judges = [self._judge(asked.min_match) if asked.is_one_photo else Judge(None) for asked, _ in batch]
        answers: list[Found | Exception | None] = [None] * len(batch)
        for at, (asked, vectors) in enumerate(batch):
            if vectors is None:
                answers[at] = self._similar(state, asked)
            else:
                alike.setdefault((max(asked.number, judges[at].depth), asked.filter), []).append(at)
        for (number, condition), places in alike.items():
            asking = [vectors for at in places if (vectors := batch[at][1]) is not None]
            found = self._ask(state, asking, number, condition)
            for at, matches in zip(places, found, strict=True):
                if isinstance(matches, Exception):
                    answers[at] = matches
                    continue
                judged = judges[at](matches, batch[at][0].plain, batch[at][0].number)
                answers[at] = Found(judged, self._shown(state, judged.matches))
        return answers

    def _similar(self, state: State, asked: Asked) -> Found | Exception | None:
        try:
            wanted = parse_filter(asked.filter) if asked.filter else None
            matches = state.similar(asked.product_id or "", asked.number, wanted, weighing(asked.like, self.chosen))
        except UsageError as error:
            return error
        return None if matches is None else Found(Judged(matches), self._shown(state, matches))

    def _ask(
        self, state: State, vectors: Sequence[NDArray[np.floating]], number: int, condition: str | None
    ) -> Sequence[list[ProductMatch] | Exception]:
        try:
            return state.ask(vectors, number, parse_filter(condition) if condition else None)
        except UsageError as error:  # the filter is no filter, for all who asked with it
            return [error] * len(vectors)

    def _shown(self, state: State, matches: Sequence[ProductMatch]) -> list[schemas.Match]:
        if self._records is None:  # of this thread, as SQLite wants it
            path = Folders(self._settings.root).database
            self._records = CatalogueRecords(Database(path, self._dataset, timeout=self._settings.lock_timeout))
        products = self._records.products([match.product_id for match in matches])
        return [_shown(state, match, product) for match, product in zip(matches, products, strict=True)]


def _pass_on(ended: Future[Any], answer: Future[Any]) -> None:
    """What one future has become, the other becomes, unless nobody waits for it any longer."""
    if not answer.set_running_or_notify_cancel():
        return
    error = ended.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(ended.result())


def _shown(state: State, match: ProductMatch, product: Product) -> schemas.Match:
    score = match.score or 0.0
    return schemas.Match(
        rank=match.rank,
        product_id=match.product_id,
        title=product.title,
        description=product.description,
        attributes=dict(product.attributes),
        score=score,
        closeness=state.scale.closeness(score),
        probability=match.probability,
        image=schemas.ProductImage.of(match.image_id),
        query_image=schemas.ProductImage.of(match.query_image_id) if match.query_image_id else None,
    )
