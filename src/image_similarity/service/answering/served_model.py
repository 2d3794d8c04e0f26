"""One model that the service answers with: a collection held open, asked for many clients at once.

One thread brings photos through the network, another looks for the products: while it does, the next photos are in the
network already.
"""

from __future__ import annotations

import re
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import UsageError
from image_similarity.options import Match, SimilarOptions
from image_similarity.search import OLDER, Answer, PreparedQuery, part_weighting
from image_similarity.service import schemas
from image_similarity.service.answering.batching import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.collection import Collection
    from image_similarity.search import ShownProduct, State, Why
    from image_similarity.types import ProductMatch

Vectors = NDArray[np.float32]
Searched = tuple[PreparedQuery, Vectors]
Asked = tuple[str, SimilarOptions]
"""A product's id, and which of the products most similar to it."""
FOLDERS = re.compile(r"[^+*]*[/\\\\](?=[^/\\\\+*]+)")
"""What stands before the name of a model's file."""


class ServedModel:
    """A model of the service. Any thread may ask.

    Args:
        collection: the dataset under this model, which is closed with this.
        batch: queries that are answered together at most.
    """

    def __init__(self, collection: Collection, batch: int) -> None:
        self.collection = collection
        self._seeing: Batches[PreparedQuery, Vectors] = Batches(collection.vectors_of, batch, f"sees {self.name}")
        self._answering: Batches[Searched | Asked, schemas.Matches | None] = Batches(
            self._answers, batch, f"answers {self.name}"
        )

    @cached_property
    def name(self) -> str:
        """As requests name it: where a model's file lies on this machine is nobody else's business."""
        return FOLDERS.sub("", self.collection.model.name)

    @property
    def state(self) -> State:
        """What answers now."""
        return self.collection.state

    def search(self, query: PreparedQuery) -> Future[schemas.Matches | None]:
        """The answer, when it is there."""
        answer: Future[schemas.Matches | None] = Future()
        self._seeing.submit(query).add_done_callback(lambda seen: self._go_on(query, seen, answer))
        return answer

    def similar(self, product_id: str, options: SimilarOptions) -> Future[schemas.Matches | None]:
        """The products most similar to one, when they are there; None where there is no such product."""
        return self._answering.submit((product_id, options))

    @property
    def waiting(self) -> int:
        """Photos and texts that no network has been given yet."""
        return self._seeing.waiting

    def close(self) -> None:
        """Answer what is waiting, then end."""
        self._seeing.close()
        self._answering.close()
        self.collection.close()

    @cached_property
    def matches(self) -> list[Match]:
        """What alone may count."""
        return [match for match in get_args(Match) if self._can(match)]

    @cached_property
    def reads_text(self) -> bool:
        """Whether it can be searched by words."""
        return self.collection.reads_text

    def _can(self, match: Match) -> bool:
        try:
            part_weighting(match, self.collection.model)
        except UsageError:
            return False
        return True

    def _go_on(self, query: PreparedQuery, seen: Future[Vectors], answer: Future[schemas.Matches | None]) -> None:
        """From the network to the search."""
        if seen.exception() is not None:
            _pass_on(seen, answer)
        elif not answer.cancelled():
            found = self._answering.submit((query, seen.result()))
            found.add_done_callback(lambda ended: _pass_on(ended, answer))

    def _answers(self, batch: Sequence[Searched | Asked]) -> list[schemas.Matches | Exception | None]:
        searched = [each for each in batch if isinstance(each[0], PreparedQuery)]
        found = iter(self.collection.answers(searched) if searched else ())
        return [
            self._wire(next(found), of_product=False) if isinstance(each[0], PreparedQuery) else self._similar(each)
            for each in batch
        ]

    def _similar(self, asked: Any) -> schemas.Matches | Exception | None:
        try:
            return self._wire(self.collection.similar(*asked), of_product=True)
        except UsageError as error:
            return error

    def _wire(self, answer: Answer | Exception | None, *, of_product: bool) -> schemas.Matches | Exception | None:
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
            # The catalogue changes all day here: that it has is no news.
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


def _pass_on(ended: Future[Any], answer: Future[Any]) -> None:
    """What one future has become, the other becomes, unless nobody waits for it any longer."""
    if not answer.set_running_or_notify_cancel():
        return
    error = ended.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(ended.result())
