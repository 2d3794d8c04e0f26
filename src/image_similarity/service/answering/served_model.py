"""One served model: an open collection whose queries are batched over many clients.

One thread embeds the photos, another searches the products, so that the next photos are embedded meanwhile.
"""

from __future__ import annotations

import re
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import UsageError
from image_similarity.options import Match, SimilarOptions
from image_similarity.search import OLDER, Answer, PreparedQuery, supported_matches
from image_similarity.service import schemas
from image_similarity.service.answering.batching import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.collection import Collection
    from image_similarity.search import ShownProduct, State, Why
    from image_similarity.types import ProductMatch

Vectors = NDArray[np.float32]
EmbeddedQuery = tuple[PreparedQuery, Vectors]
SimilarRequest = tuple[str, SimilarOptions]
"""A product's id, and the options of its similar products."""
FOLDERS = re.compile(r"[^+*]*[/\\\\](?=[^/\\\\+*]+)")
"""The folders before the name of a model's file."""


class ServedModel:
    """A model of the service; thread-safe.

    Args:
        collection: the dataset under this model; closed by :meth:`close`.
        batch: queries that are answered together at most.
    """

    def __init__(self, collection: Collection, batch: int) -> None:
        self.collection = collection
        self._embedding: Batches[PreparedQuery, Vectors] = Batches(collection.vectors_of, batch, f"embed {self.name}")
        self._searching: Batches[EmbeddedQuery | SimilarRequest, schemas.Matches | None] = Batches(
            self._answers, batch, f"search {self.name}"
        )

    @cached_property
    def name(self) -> str:
        """The name in requests: without the folder of a model's file, which clients must not see."""
        return FOLDERS.sub("", self.collection.model.name)

    @property
    def state(self) -> State:
        """The collection's current state."""
        return self.collection.state

    def search(self, query: PreparedQuery) -> Future[schemas.Matches | None]:
        """Embed a query and search with it; the future holds the answer."""
        answer: Future[schemas.Matches | None] = Future()
        self._embedding.submit(query).add_done_callback(lambda vectors: self._search(query, vectors, answer))
        return answer

    def similar(self, product_id: str, options: SimilarOptions) -> Future[schemas.Matches | None]:
        """The products most similar to one; the future holds None where there is no such product."""
        return self._searching.submit((product_id, options))

    @property
    def waiting(self) -> int:
        """Queries that wait for the network."""
        return self._embedding.waiting

    def close(self) -> None:
        """Answer the queued queries, then close the collection."""
        self._embedding.close()
        self._searching.close()
        self.collection.close()

    @cached_property
    def matches(self) -> list[Match]:
        """The values of ``match`` that this model supports."""
        return supported_matches(self.collection.model.plain)

    @cached_property
    def reads_text(self) -> bool:
        """Whether text queries are supported."""
        return self.collection.reads_text

    def _search(self, query: PreparedQuery, vectors: Future[Vectors], answer: Future[schemas.Matches | None]) -> None:
        """Queue an embedded query for the search."""
        if vectors.exception() is not None:
            _copy_result(vectors, answer)
        elif not answer.cancelled():
            found = self._searching.submit((query, vectors.result()))
            found.add_done_callback(lambda done: _copy_result(done, answer))

    def _answers(self, batch: Sequence[EmbeddedQuery | SimilarRequest]) -> list[schemas.Matches | Exception | None]:
        queries = [each for each in batch if isinstance(each[0], PreparedQuery)]
        found = iter(self.collection.answers(queries) if queries else ())
        return [
            self._schema(next(found), of_product=False) if isinstance(each[0], PreparedQuery) else self._similar(each)
            for each in batch
        ]

    def _similar(self, request: Any) -> schemas.Matches | Exception | None:
        try:
            return self._schema(self.collection.similar(*request), of_product=True)
        except UsageError as error:
            return error

    def _schema(self, answer: Answer | Exception | None, *, of_product: bool) -> schemas.Matches | Exception | None:
        if not isinstance(answer, Answer):
            return answer
        whys = answer.explained.whys if answer.explained else [None] * len(answer.matches)
        return schemas.Matches(
            model=self.name,
            matches=[
                self._match(match, shown, why, of_product=of_product)
                for match, shown, why in zip(answer.matches, answer.shown, whys, strict=True)
            ],
            no_match=answer.no_match,
            # The catalogue changes all day here: the note that it has changed is left out.
            note="; ".join(part for part in answer.note.split("; ") if part != OLDER),
        )

    def _match(self, match: ProductMatch, shown: ShownProduct, why: Why | None, *, of_product: bool) -> schemas.Match:
        score, product = match.score or 0.0, shown.product
        pair = match.query_image_id if of_product else None
        return schemas.Match(
            rank=match.rank,
            product_id=match.product_id,
            title=product.title,
            description=product.description,
            attributes=dict(product.attributes),
            score=score,
            closeness=self.state.scale.closeness(score),
            probability=match.probability,
            image=schemas.ProductImage.of(match.image_id),
            query_image=schemas.ProductImage.of(pair) if pair else None,
            why=schemas.Why.model_validate(why.as_dict()) if why else None,
        )


def _copy_result(done: Future[Any], answer: Future[Any]) -> None:
    """Copy a future's result or exception to another one, unless that was cancelled."""
    if not answer.set_running_or_notify_cancel():
        return
    error = done.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())
