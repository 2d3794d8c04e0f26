"""A dataset opened with one model for many queries: index memory-mapped, network loaded once, thread-safe."""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from image_similarity.errors import ImageError, ImageSimilarityError, UsageError
from image_similarity.fitting import EmbeddedImage, delete_product, new_image, upsert_product
from image_similarity.images import ONE_VIEW, SIX_VIEWS
from image_similarity.index import parse_filter
from image_similarity.models import embed_each, resolve
from image_similarity.options import IN_USE, Query, SearchOptions, SimilarOptions, as_choice, merge_options
from image_similarity.search import (
    Answer,
    Explained,
    PreparedQuery,
    ProbabilityCache,
    State,
    calibration_file,
    explain,
    indexed_state,
    next_state,
    open_state,
    part_weighting,
    photo_bytes,
    photo_name,
    prepare,
    scoring_of,
    search_vectors,
    show_products,
    supported_matches,
)
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, Database, FeatureStore
from image_similarity.types import Features, Product, Progress, no_progress
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.models import Embedder
    from image_similarity.options import ModelChoice, Photo
    from image_similarity.search import MatchProbabilities, ShownProduct
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ProductMatch, TextModel

    Vectors = NDArray[np.float32]

T = TypeVar("T")
Q = TypeVar("Q")
BATCH = 16  # queries that are embedded and ranked together
DEFAULT_NUMBER = 10  # products of an answer
NETWORK_LOCK = Lock()
"""Held to run a network: OpenVINO's tensors must be created by one thread at a time, and one uses all processors."""


class Collection:
    """A dataset opened with one model it is fitted with: search it, put and remove products, until :meth:`close`.

    :meth:`Workspace.open` makes one; use it in a ``with`` block. All methods but :meth:`close` are thread-safe. Answers
    show the dataset as it was opened or last refreshed (:meth:`refresh`); its own changes are visible at once.

    Args:
        dataset: a fitted dataset.
        settings: the settings of its workspace.
        model: the model; by default the dataset's default model.
        data_augmentation: 1 compares with the six views, 0 with the images alone; None: as fitted.
        ahead: the first query, if known: it is checked early, and the network is loaded while the index is opened.
        with_images: whether answers contain the path of an image of each product.
        progress: receives the progress of slow steps.
        networks: another collection of the same dataset and networks, which it uses instead of loading its own.

    Raises:
        NotFittedError: the dataset has no features of the model.
        UsageError, ModelError, WeightsError: the model is unknown or cannot be loaded, or there are no six views.
        StoreError, OutputError: the store or the index cannot be read or written.

    >>> with workspace.open("shop") as shop:
    ...     answer = shop.search("photo.jpg")
    >>> len(answer.matches)
    10
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        model: str | ModelChoice = IN_USE,
        *,
        data_augmentation: int | None = None,
        ahead: Query | None = None,
        with_images: bool = True,
        progress: Progress = no_progress,
        networks: Collection | None = None,
    ) -> None:
        self.dataset, self.settings, self._progress = dataset, settings, progress
        self._lender = networks
        self._image_folder = Folders(settings.root).images(dataset) if with_images else None
        self._networks: dict[bool, Future[Embedder]] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="network loader")
        self._text: Future[TextModel] | None = None
        self._unlearned: Collection | None = None
        self._loading, self._reading, self._changing, self._opening = Lock(), Lock(), Lock(), Lock()
        self._read = self._open_database(shared=True)
        self._refresh_database: Database | None = None  # a connection of its own: a refresh delays no query
        self._records = CatalogueRecords(self._read)
        try:
            store = FeatureStore(self._read)
            self.model = resolve(as_choice(model), dataset, settings, store.has_networks_of)
            if ahead is not None:
                self._preload(ahead, {spec.key for spec in self.model.specs} <= set(store.models()))
            views = ONE_VIEW if data_augmentation == 0 else None
            self.state = open_state(self.model, self._read, settings, views, progress)
            path = calibration_file(settings, dataset, self.model.recipe.key, len(self.state.views))
            self._probabilities = ProbabilityCache(path, self.model.recipe.key)
            plain = self.model.plain.recipe.key
            self._plain_probabilities = ProbabilityCache(
                calibration_file(settings, dataset, plain, len(self.state.views)), plain
            )
            if data_augmentation == 1 and len(self.state.views) < len(SIX_VIEWS):
                raise UsageError("there are no features of the six views: run fit with `data_augmentation` 1 first")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and release the networks. Calls in other threads must have returned.

        >>> shop = workspace.open("shop")
        >>> shop.close()
        """
        if self._unlearned is not None:
            self._unlearned.close()
        self._loader.shutdown(cancel_futures=True)
        self._networks.clear()
        for database in (self._read, self._refresh_database):
            if database is not None:
                database.connection.close()

    # Queries ------------------------------------------------------------------------------------------------------

    def search(
        self, query: Query | Photo | Sequence[Photo] | None, options: SearchOptions | None = None, **changes: Any
    ) -> Answer:
        """The products most similar to a photo, to several photos of one thing, or to a text.

        Args:
            query: a photo (a path, a URL, or the bytes of an image file), several of one thing, or a
                :class:`~image_similarity.options.Query` with a text or a crop.
            options: how to search.
            changes: single options by name: ``number=5``, ``text="in red"``.

        Returns:
            The query and at most ``number`` products, best first.

        Raises:
            UsageError: a photo cannot be used, or an option does not work with the others or with the model.
            NotFittedError: ``min_match`` needs ``calibrate`` first, or ``calibrate`` for this kind of search.
            WeightsError, ModelError: the network cannot be loaded.
            ImageError: the model has no vector for the photo, such as of a blank one.

        >>> from image_similarity import Box, Query
        >>> query = Query(photo="photo.jpg", crop=Box(0, 0, 200, 200))
        >>> with workspace.open("shop") as shop:
        ...     answer = shop.search(query, number=3, explain=True)
        >>> len(answer.matches)
        3
        """
        (answer,) = self._answer_all([self.prepared(query, options, **changes)])
        self._progress("search", 1, 1)
        return answer

    def search_many(
        self, queries: Sequence[Query | Photo], options: SearchOptions | None = None, **changes: Any
    ) -> list[Answer]:
        """The answers of many queries, in their order; they are embedded and ranked in batches. See :meth:`search`.

        >>> with workspace.open("shop") as shop:
        ...     answers = shop.search_many(["photo.jpg", "photo.jpg"], number=3)
        >>> answers[0].matches == answers[1].matches
        True
        """
        answers = list[Answer]()
        prepared = partial(self.prepared, options=options, **changes)
        with ThreadPoolExecutor(processors()) as pool:
            for start in range(0, len(queries), BATCH):
                answers += self._answer_all(list(pool.map(prepared, queries[start : start + BATCH])))
                self._progress("search", len(answers), len(queries))
        return answers

    def similar(
        self, product_id: str | None = None, options: SimilarOptions | None = None, **changes: Any
    ) -> Answer | None:
        """The products most similar to a product, or to a random one; None if there is no such product.

        Ranked now, by all of its images; :meth:`Workspace.similar` looks up the recommendations of the latest fit.

        Raises:
            UsageError: the filter is invalid, or the model has no part for ``match``.

        >>> with workspace.open("shop") as shop:
        ...     answer = shop.similar("stick03", number=3, match="shape")
        >>> len(answer.matches)
        3
        """
        options = merge_options(SimilarOptions, options, changes)
        if options.match is not None and self.model.learned is not None:
            return self._with_parts().similar(product_id, options)
        state = self.state
        if product_id is None:
            product_id = random.choice(state.product_ids)  # noqa: S311 (not a secret)
        matches = state.similar(
            product_id, options.number or DEFAULT_NUMBER, options.filter, part_weighting(options.match, self.model)
        )
        if matches is None:
            return None
        ids = [(product_id, ""), *((match.product_id, match.image_id) for match in matches)]
        query, *shown = self._shown(ids)
        return Answer(query, matches, shown)

    def embed(self, query: Query | Photo | Sequence[Photo]) -> Vectors:
        """The unit vectors of a query, float32 ``(photos, dimension)``; ``(1, dimension)`` for a text.

        With both, each photo's vector is combined with the text's.

        Raises:
            UsageError, WeightsError, ModelError, ImageError: as :meth:`search`.

        >>> with workspace.open("shop") as shop:
        ...     shop.embed("photo.jpg").shape
        (1, 784)
        """
        (vectors,) = self.vectors_of([self.prepared(query)])
        return _or_raise(vectors)

    def vectors(self) -> Features:
        """The vectors of all images and views, float16 ``(rows, dimension)``, with their image and product ids.

        Memory-mapped if nothing has changed since the index was built.

        >>> with workspace.open("shop") as shop:
        ...     features = shop.vectors()
        >>> features.vectors.shape[1]
        784
        """
        return self.state.features()

    # Queries step by step: for a service, which batches those of many clients ----------------------------------------

    def prepared(
        self, query: Query | Photo | Sequence[Photo] | None, options: SearchOptions | None = None, **changes: Any
    ) -> PreparedQuery:
        """A query with its photos decoded, ready for :meth:`vectors_of`. Uses the processor, not the network.

        Raises:
            UsageError: as :meth:`search`.

        >>> with workspace.open("shop") as shop:
        ...     shop.prepared("photo.jpg", number=3).options.number
        3
        """
        query, options = query_and_options(query, options, changes)
        if self._needs_parts(query, options):
            return self._with_parts().prepared(query, options)
        part_weighting(options.match, self.model)
        if query.text is not None:
            self._check_text()
        scoring = scoring_of(query, options)
        probabilities = self._probabilities.of(scoring, options.min_match, self._generation)
        return prepare(query, options, self.model, self.settings, calibrated=probabilities.calibration is not None)

    def vectors_of(self, queries: Sequence[PreparedQuery]) -> list[Vectors | Exception]:
        """The vectors of each query, ``(photos, dimension)``, or why it has none; embeds all of them together.

        >>> with workspace.open("shop") as shop:
        ...     (vectors,) = shop.vectors_of([shop.prepared("photo.jpg")])
        >>> vectors.shape
        (1, 784)
        """
        if others := self._of_parts(queries):
            return _merged(queries, others, self.vectors_of, self._with_parts().vectors_of)
        images = [inputs for query in queries for photo in query.inputs for inputs in photo]
        texts = [query.query.text for query in queries if query.query.text is not None]
        embedder = self._network(one=len(images) == 1).result() if images else None
        encoder = self._text_model() if texts else None
        with NETWORK_LOCK:
            of_images = iter(embedder.embed(images) if embedder else ())
            of_texts = iter(embed_each(encoder.embed, texts) if encoder else ())
        vectors: list[Vectors | Exception] = []
        for query in queries:
            photos = [[next(of_images) for _ in photo] for photo in query.inputs]
            text = None if query.query.text is None else next(of_texts)
            try:
                vectors.append(search_vectors(query, photos, text, self.model))
            except ImageSimilarityError as error:
                vectors.append(error)
        return vectors

    def answers(self, queries: Sequence[tuple[PreparedQuery, Vectors]]) -> list[Answer | Exception]:
        """The answer of each query, or why it has none; queries with the same options are searched together.

        >>> with workspace.open("shop") as shop:
        ...     queries = [shop.prepared(photo, number=3) for photo in ("photo.jpg", "photo.jpg")]
        ...     answers = shop.answers(list(zip(queries, shop.vectors_of(queries))))
        >>> [len(answer.matches) for answer in answers]
        [3, 3]
        """
        if others := self._of_parts([query for query, _ in queries]):
            return _merged(queries, others, self.answers, self._with_parts().answers)
        state = self._state_for(queries)
        groups: dict[tuple[int, str, str | None], list[int]] = {}
        probabilities = [
            self._probabilities.of(query.scoring, query.options.min_match, self._generation) for query, _ in queries
        ]
        for at, (query, _) in enumerate(queries):
            options = query.options
            depth = max(options.number, probabilities[at].depth)
            groups.setdefault((depth, options.aggregate, options.filter), []).append(at)
        found: list[Answer | Exception] = [UsageError("not searched")] * len(queries)
        for (number, _, condition), places in groups.items():
            group = [queries[at] for at in places]
            aggregate = group[0][0].options.aggregate
            try:
                ranked = state.rank(
                    [vectors for _, vectors in group], number, aggregate, condition, [query.names for query, _ in group]
                )
            except UsageError as error:  # an invalid filter: the same for the whole group
                ranked = []
                for at in places:
                    found[at] = error
            for at, matches in zip(places, ranked, strict=False):
                query, vectors = queries[at]
                found[at] = self._answer(state, query, vectors, probabilities[at], matches)
        return found

    # Changes ------------------------------------------------------------------------------------------------------

    def put(self, product: Product | str, images: Sequence[Photo] | None = None) -> bool:
        """Insert or replace a product (upsert); it is found at once, and later fits keep it.

        Args:
            product: its id, texts and attributes; or only its id.
            images: all of its images, each a path, a URL or bytes; None: keep its present ones.

        Returns:
            Whether the product is new.

        Raises:
            UsageError: a new product without images, or an image that cannot be used.
            StoreError, OutputError: it cannot be written; nothing has changed.

        >>> from image_similarity import Product
        >>> with workspace.open("shop") as shop:
        ...     shop.put(Product("p9", "Ball"), images=["photo.jpg"])
        ...     shop.search("photo.jpg", number=1).matches[0].product_id
        True
        'p9'
        """
        product = Product(product) if isinstance(product, str) else product
        views = self.state.views
        embedded = None if images is None else [self._embedded(image, views) for image in images]
        with self._open_database() as database:
            new = upsert_product(database, self.settings, product, embedded, views)
        self.refresh()
        return new

    def remove(self, product_id: str) -> bool:
        """Delete a product: it is not found any longer. A later fit adds it again if its catalogue still lists it.

        Returns:
            Whether there was such a product.

        Raises:
            StoreError: it cannot be written.

        >>> with workspace.open("shop") as shop:
        ...     shop.remove("stick03"), shop.remove("stick03")
        (True, False)
        """
        with self._open_database() as database:
            removed = delete_product(database, self.settings, product_id)
        self.refresh()
        return removed

    def refresh(self) -> bool:
        """Make changes visible that other processes or collections have written since.

        Never rebuilds the index: changes that need one become visible after the next fit, or on the next
        :meth:`Workspace.open`.

        Returns:
            Whether anything has changed.

        Raises:
            StoreError: the store cannot be read.

        >>> with workspace.open("shop") as shop, workspace.open("shop") as other:
        ...     removed = other.remove("stick03")
        ...     shop.refresh()
        True
        """
        with self._changing:
            newer = next_state(self.state, self._database_for_refresh(), self.settings)
            changed = newer is not self.state
            self.state = newer
        if self._unlearned is not None:
            self._unlearned.refresh()
        return changed

    def embed_views(self, pixels: Mapping[str, NDArray[np.uint8]]) -> dict[str, Vectors]:
        """Embed views: for each model key, uint8 ``(n, size, size, 3)`` to float32 unit vectors ``(n, dimension)``.

        Raises:
            ImageError: a model has no vector for a view.
            WeightsError, ModelError: the network cannot be loaded.

        >>> import numpy as np
        >>> pixels = np.zeros((1, 96, 96, 3), np.uint8)
        >>> pixels[0, 24:72, 24:72] = 255, 128, 0
        >>> with workspace.open("shop") as shop:
        ...     shop.embed_views({"colour-shape": pixels})["colour-shape"].shape
        (1, 784)
        """
        models = self._network(one=False).result().models
        vectors: dict[str, Vectors] = {}
        for key, views in pixels.items():
            with NETWORK_LOCK:
                (rows,) = embed_each(partial(_all_views, models[key]), [views])
            if isinstance(rows, ImageError):
                raise rows
            vectors[key] = rows
        return vectors

    # Model and probabilities --------------------------------------------------------------------------------------

    @property
    def reads_text(self) -> bool:
        """Whether it supports text queries: a part of the model has a text encoder, and it can be loaded."""
        try:
            if self.model.learned is None:
                self._text_model()
            else:
                self._check_text()
        except ImageSimilarityError:
            return False
        return True

    @property
    def calibrated(self) -> list[str]:
        """The searches with match probabilities: ``photo``, ``several``, ``shape``, ``colour``, ``crops``, ``mean``.

        Empty if the dataset is not calibrated for this model.
        """
        found = self._probabilities.scorings
        if self.model.learned is None:
            return found
        of_parts = self._plain_probabilities.scorings
        return found + [match for match in supported_matches(self.model.plain) if match in of_parts]

    def load(self) -> None:
        """Load the networks now, for one photo and for many, so that the first query does not wait.

        Raises:
            WeightsError, ModelError: the network cannot be loaded.

        >>> with workspace.open("shop") as shop:
        ...     shop.load()
        """
        for one in (False, True):
            self._network(one=one).result()

    def _open_database(self, *, shared: bool = False) -> Database:
        path = Folders(self.settings.root).database
        return Database(path, self.dataset, timeout=self.settings.lock_timeout, shared=shared)

    def _database_for_refresh(self) -> Database:
        if self._refresh_database is None:
            self._refresh_database = self._open_database(shared=True)
        return self._refresh_database

    def _network(self, *, one: bool) -> Future[Embedder]:
        """The networks, loaded in the background: compiled for one photo on all processors, or for many at once."""
        one = one and self.model.has_networks
        with self._loading:
            if one not in self._networks:
                self._networks[one] = self._loader.submit(self._loaded, one)
            return self._networks[one]

    def _loaded(self, one: bool) -> Embedder:
        if self._lender is not None:
            return self._lender._network(one=one).result().with_recipe(self.model.recipe)
        return self.model.load(self.settings, self._progress, single=one)

    def _preload(self, query: Query, is_stored: bool) -> None:
        """Check that the model supports a query, and load its network while the index is opened."""
        if query.text is not None:
            self._check_text()
        if is_stored and query.photos:  # else the next step raises
            self._network(one=len(query.photos) == 1)

    def _check_text(self) -> None:
        from image_similarity.models import text_specs_of

        text_specs_of(self.model.plain)

    def _needs_parts(self, query: Query, options: SearchOptions) -> bool:
        """Whether a projection mixes what the query needs apart: the model's parts, or the space of its texts."""
        return self.model.learned is not None and (options.match is not None or query.text is not None)

    def _of_parts(self, queries: Sequence[PreparedQuery]) -> list[int]:
        """The places of the queries that :meth:`_with_parts` answers."""
        return [at for at, each in enumerate(queries) if self._needs_parts(each.query, each.options)]

    def _with_parts(self) -> Collection:
        """The same dataset under the model without its projection, opened at the first query that needs it."""
        with self._opening:
            if self._unlearned is None:
                self._unlearned = Collection(
                    self.dataset,
                    self.settings,
                    self.model.plain.fitted_choice,
                    data_augmentation=0 if self.state.views == ONE_VIEW else None,
                    with_images=self._image_folder is not None,
                    progress=self._progress,
                    networks=self,
                )
            return self._unlearned

    def _text_model(self) -> TextModel:
        from image_similarity.models import load_text_model

        with self._loading:
            if self._text is None:
                self._text = self._loader.submit(load_text_model, self.model, self.settings)
        return self._text.result()

    def _answer_all(self, queries: Sequence[PreparedQuery]) -> list[Answer]:
        vectors = [_or_raise(each) for each in self.vectors_of(queries)]
        return [_or_raise(answer) for answer in self.answers(list(zip(queries, vectors, strict=True)))]

    def _answer(
        self,
        state: State,
        query: PreparedQuery,
        vectors: Vectors,
        probabilities: MatchProbabilities,
        matches: list[ProductMatch],
    ) -> Answer:
        result = probabilities(matches, query.plain, query.options.number)
        shown = self._shown([(match.product_id, match.image_id) for match in result.matches])
        why = None if query.small is None else self._explained(state, query, vectors, result.matches)
        return Answer(query.shown, result.matches, shown, result.no_match, result.note, why)

    def _explained(
        self, state: State, query: PreparedQuery, vectors: Vectors, matches: list[ProductMatch]
    ) -> Explained:
        assert query.small is not None  # noqa: S101 (for the type checker)
        embedder = self._network(one=True in self._networks).result()
        with NETWORK_LOCK:
            return explain(query.small, matches, vectors[0], state.gallery_of, self.model, embedder)

    def _shown(self, ids: Sequence[tuple[str, str]]) -> list[ShownProduct]:
        with self._reading:
            return show_products(self._records, self._image_folder, ids)

    def _state_for(self, queries: Sequence[tuple[PreparedQuery, Vectors]]) -> State:
        """The present state. Votes are counted over all images, so the delta is indexed first if they are requested."""
        state = self.state
        if state.delta.index is None or all(query.options.aggregate != "votes" for query, _ in queries):
            return state
        with self._changing:
            database = self._database_for_refresh()
            self.state = indexed_state(self.model, database, self.settings, state.views, self._progress)
            return self.state

    @property
    def _generation(self) -> int:
        return self.state.base.manifest.generation

    def _embedded(self, image: Photo, views: Sequence[str]) -> EmbeddedImage:
        try:
            new = new_image(photo_bytes(image, self.settings), self.model.specs, views, self.settings.max_pixels)
            return EmbeddedImage(new, self.embed_views(new.pixels))
        except ImageError as error:
            raise UsageError(f"the image {photo_name(image)} cannot be used: {error.reason}") from error


def query_and_options(
    query: Query | Photo | Sequence[Photo] | None, options: SearchOptions | None, changes: Mapping[str, Any]
) -> tuple[Query, SearchOptions]:
    """A query and its search options, with ``changes`` applied to whichever of the two has the field.

    Raises:
        UsageError: an option is unknown or invalid, or there is nothing to search for.
    """
    of_query = {name: value for name, value in changes.items() if name in Query.__dataclass_fields__}
    others = {name: value for name, value in changes.items() if name not in of_query}
    query, options = Query.of(query, **of_query), merge_options(SearchOptions, options, others)
    if options.filter is not None:
        parse_filter(options.filter)
    return query, options


def _merged(
    items: Sequence[Q], others: Sequence[int], own: Callable[[list[Q]], list[T]], other: Callable[[list[Q]], list[T]]
) -> list[T]:
    """The results of two functions in the order of the items; ``others``: the places of those of the second."""
    places = [at for at in range(len(items)) if at not in set(others)]
    results = dict(zip(others, other([items[at] for at in others]), strict=True))
    results |= zip(places, own([items[at] for at in places]), strict=True) if places else {}
    return [results[at] for at in range(len(items))]


def _all_views(model: EmbeddingModel, views: Sequence[NDArray[np.uint8]]) -> Vectors:
    return model.embed(views[0])[None]


def _or_raise(value: T | Exception) -> T:
    if isinstance(value, Exception):
        raise value
    return value
