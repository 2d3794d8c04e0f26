"""The Python API: one object with one method per job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_similarity.dataset import Dataset
from image_similarity.errors import CatalogueError, NotFittedError
from image_similarity.options import (
    AUTO,
    IN_USE,
    CalibrateOptions,
    CompareOptions,
    EvaluateOptions,
    ExtractOptions,
    FitOptions,
    ModelChoice,
    Query,
    SimilarOptions,
    as_choice,
    merge_options,
)
from image_similarity.settings import Folders, Settings
from image_similarity.types import Failure, NoteLog, Notes, Progress, no_notes, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.collection import Collection
    from image_similarity.fit import FitReport
    from image_similarity.fitting import ExtractReport
    from image_similarity.models import CheckedFile, DefaultModel, ModelRow, PulledModel
    from image_similarity.options import Photo, SearchOptions
    from image_similarity.quality import AdaptReport, CalibrateReport, Comparison, Evaluation
    from image_similarity.search import Answer
    from image_similarity.types import CatalogueSource


class Workspace:
    """A data directory, with a method for each job: fit, search, evaluate and others.

    Args:
        root: the directory; None: ``IMAGE_SIMILARITY_WORKSPACE``, else ``data``. Created when first written to.
        settings: all settings, in place of the environment's.
        progress: a callback for the progress of each job: ``progress(stage, done, total)``.
        notes: a callback for notes on a catalogue, such as which columns were guessed.

    Options are records of :mod:`image_similarity.options`; single ones may be given by name, as in
    ``workspace.fit("shop", "photos", number=5)``. A model is a name (``VGG``, ``Inception_Resnet``, ``colour-shape``),
    the path of a ``.toml`` description, a mixture (``VGG+0.2*colour``), an adapted model (``VGG+adapted``), or a
    :class:`~image_similarity.options.ModelChoice`, which also sets weights and precision. By default it is the
    dataset's default model (see :meth:`use`), else ``standard``.

    Every method raises a subclass of :class:`~image_similarity.errors.ImageSimilarityError` for anything that the
    caller can correct.

    >>> from image_similarity import Workspace
    >>> workspace = Workspace("data")
    >>> str(workspace.settings.root)
    'data'
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        settings: Settings | None = None,
        progress: Progress = no_progress,
        notes: Notes = no_notes,
    ) -> None:
        self.settings = settings or Settings.from_environment(root=root)
        self.progress = progress
        self.notes = notes

    def extract(
        self,
        catalogue: str | Path | CatalogueSource,
        dataset: str,
        options: ExtractOptions | None = None,
        **changes: Any,
    ) -> ExtractReport:
        """Download the images of a table into ``data/dataset/{dataset}``; images downloaded before are kept.

        Args:
            catalogue: a table or feed, by its path, address or ``s3://bucket/key``; or a ``CatalogueSource``.
            dataset: the dataset's name.
            options: how the table is read and how its images are downloaded.
            changes: single options by name.

        Returns:
            The counts of the run, the images that failed, and the folder.

        Raises:
            CatalogueError: the table cannot be read.
            RemovalError: too many products are no longer listed.

        >>> from image_similarity import DownloadOptions
        >>> report = workspace.extract("feed.csv", "web", downloads=DownloadOptions(per_second=5))
        >>> report.counts.done, report.counts.failed
        (2, 0)
        """
        from image_similarity.catalogue import CatalogueSnapshot
        from image_similarity.fitting import extract

        options, named = merge_options(ExtractOptions, options, changes), Dataset.named(dataset)
        with CatalogueSnapshot(self._source(catalogue, options), self.progress) as source:
            return extract(source, named, self.settings, options, self.progress, self.notes)

    def extract_department(
        self, department: int, domain_id: str = "0341", options: ExtractOptions | None = None, **changes: Any
    ) -> ExtractReport:
        """Download the images of a department of the first version (0: all), from S3; see :meth:`extract`.

        >>> report = workspace.extract_department(371)
        >>> report.folder.name
        'dpt_number_department371'
        """
        from image_similarity.fitting import extract_department

        options = merge_options(ExtractOptions, options, changes)
        return extract_department((department, domain_id), self.settings, options, self.progress, self.notes)

    def fit(
        self,
        dataset: str,
        catalogue: str | Path | CatalogueSource | None = None,
        options: FitOptions | None = None,
        **changes: Any,
    ) -> FitReport:
        """Embed a catalogue's new and changed images, learn from it, and write each product's recommendations.

        The first model that a dataset is fitted with becomes its default model. What the catalogue teaches is kept only
        if it helps, and learned again once the catalogue has changed enough for it to matter.

        Args:
            dataset: the dataset's name.
            catalogue: a folder, a table, or a ``CatalogueSource``; None: the folder ``data/dataset/{dataset}``. Images
                that are listed by URL are downloaded.
            options: the model, the number of recommendations, how the catalogue is read.
            changes: single options by name: ``model="VGG"``, ``number=5``, ``data_augmentation=1``.

        Returns:
            The counts of the run, the images that failed, and the path of the recommendations.

        Raises:
            CatalogueError: the catalogue cannot be read.
            RemovalError: too many products are no longer listed.
            ModelError, WeightsError: the model cannot be loaded.

        >>> report = workspace.fit("toys", "photos", model="colour-shape", number=5, learn=False)
        >>> report.counts.failed
        0
        >>> report.recommendations.name
        'toys_model_colour-shape'
        """
        from image_similarity.catalogue import CatalogueSnapshot
        from image_similarity.fit import fit
        from image_similarity.models import define_model
        from image_similarity.quality import select_model

        options, named = merge_options(FitOptions, options, changes), Dataset.named(dataset)
        choice, selection = options.choice, None
        if choice.name != AUTO:
            model = define_model(choice, named, self.settings)  # an unknown model fails before anything is read
        notes = NoteLog(self.notes)
        listed = self._source(self._folder(named) if catalogue is None else catalogue, options)
        with CatalogueSnapshot(listed, self.progress) as source:
            if options.download and source.has_addresses:
                from image_similarity.fitting import extract

                extract(source, named, self.settings, options, self.progress, notes)
            if choice.name == AUTO:
                selection = select_model(source, named, self.settings, self.progress)
                model = define_model(replace(choice, name=selection.model), named, self.settings)
            report = fit(source, named, self.settings, model, options, self.progress, notes)
            return replace(report, selection=selection, notes=notes.texts)

    def open(
        self, dataset: str, model: str | ModelChoice = IN_USE, *, data_augmentation: int | None = None
    ) -> Collection:
        """Open a fitted dataset to search it and to put and remove products, many times and from any thread.

        Args:
            dataset: the dataset's name.
            model: the model.
            data_augmentation: 1 compares with the six views, 0 with the images alone; None: as fitted.

        Raises:
            NotFittedError: the dataset is not fitted with the model.

        >>> with workspace.open("shop") as shop:
        ...     answers = shop.search_many(["photo.jpg", "photo.jpg"], number=3)
        >>> [len(answer.matches) for answer in answers]
        [3, 3]
        """
        return self._opened(dataset, model, data_augmentation)

    def search(
        self,
        dataset: str,
        query: Query | Photo | Sequence[Photo] | None = None,
        options: SearchOptions | None = None,
        *,
        model: str | ModelChoice = IN_USE,
        data_augmentation: int | None = None,
        **changes: Any,
    ) -> Answer:
        """The products most similar to a photo or a text. Opens the dataset for one search; see :meth:`open` for many.

        Args:
            dataset: the dataset's name.
            query: a photo (a path, a URL, or the bytes of an image file), several of one thing, or a
                :class:`~image_similarity.options.Query` with a text or a crop.
            options: how to search.
            model: the model.
            data_augmentation: as in :meth:`open`.
            changes: single options by name: ``number=5``, ``text="in red"``, ``filter="price < 50"``,
                ``explain=True``.

        Returns:
            The query and at most ``number`` products, best first.

        Raises:
            UsageError: a photo cannot be used, or an option is invalid.
            NotFittedError: the dataset is not fitted with the model.

        >>> answer = workspace.search("shop", "photo.jpg", number=3)
        >>> for match in answer.matches:
        ...     print(match.rank, match.product_id, match.score)
        1 ...
        2 ...
        3 ...
        """
        from image_similarity.collection import query_and_options

        query, options = query_and_options(query, options, changes)  # invalid options fail before anything is opened
        with self._opened(dataset, model, data_augmentation, query) as collection:
            return collection.search(query, options)

    def similar(
        self,
        dataset: str,
        product_id: str | None = None,
        options: SimilarOptions | None = None,
        *,
        model: str | ModelChoice = IN_USE,
        **changes: Any,
    ) -> Answer:
        """The products most similar to a product, or to a random one.

        Looked up in the recommendations of the latest fit; with ``filter`` or ``match``, ranked again by its images.

        Raises:
            UsageError: there is no such product, or an option is invalid.
            NotFittedError: the dataset is not fitted with the model.

        >>> answer = workspace.similar("shop", "stick03", number=3)
        >>> answer.query.product.product_id
        'stick03'
        >>> len(answer.matches)
        3
        """
        from image_similarity.search import look_up

        options, named = merge_options(SimilarOptions, options, changes), Dataset.named(dataset)
        answer = look_up(named, self.settings, product_id, as_choice(model), options.number)
        if options.filter is None and options.match is None:
            return answer
        product_id = answer.query.product.product_id
        number = options.number or max(len(answer.matches), 1)
        with self._opened(dataset, model) as collection:
            ranked = collection.similar(product_id, replace(options, number=number))
        if ranked is None:
            raise NotFittedError(f"{product_id} was removed from {named.name} after its last fit: run fit again")
        return ranked

    def evaluate(
        self,
        dataset: str,
        options: EvaluateOptions | None = None,
        *,
        model: str | ModelChoice | Sequence[str | ModelChoice] = IN_USE,
        **changes: Any,
    ) -> Evaluation:
        """Measure how often the right product comes first, for one model or several; see docs/evaluation.md.

        >>> found = workspace.evaluate("shop", stored_only=True)
        >>> share = found.results[0].metrics["r_at_1"]
        >>> share.low <= share.value <= share.high
        True
        """
        from image_similarity.quality import evaluate

        models = [model] if isinstance(model, (str, ModelChoice)) else list(model)
        options, named = merge_options(EvaluateOptions, options, changes), Dataset.named(dataset)
        return evaluate(named, self.settings, [as_choice(each) for each in models], options, self.progress)

    def adapt(
        self, dataset: str, *, model: str | ModelChoice = IN_USE, pairs: Sequence[tuple[str, str]] = ()
    ) -> AdaptReport:
        """Learn from products with several images which differences to ignore; kept only if held-out recall improves.

        Fit the model ``{model}+adapted`` afterwards to use it. ``pairs`` are ids of similar products: each pair counts
        as one product.

        Raises:
            AdaptationError: there are too few products with several images, or it does not help.

        >>> report = workspace.adapt("shop")
        >>> report.use
        'colour-shape+adapted'
        """
        from image_similarity.quality import adapt

        return adapt(Dataset.named(dataset), self.settings, as_choice(model), self.progress, pairs=pairs)

    def use(self, dataset: str, model: str | ModelChoice | None = None) -> DefaultModel:
        """Set a dataset's default model; without ``model``, only return it. A running service switches to it.

        Raises:
            NotFittedError: the dataset is not fitted with this model; the default is unchanged.

        >>> workspace.use("shop").model
        'colour-shape'
        >>> workspace.fit("shop", "photos", model="colour", learn=False).model_key
        'colour'
        >>> workspace.use("shop", "colour").model
        'colour'
        """
        from image_similarity.models import expression_of, read_default_model, set_default_model
        from image_similarity.search import model_with_recommendations, recommendations

        named = Dataset.named(dataset)
        if model is None:
            return read_default_model(named, self.settings)
        with recommendations(named, self.settings) as (store, _):
            resolved = model_with_recommendations(as_choice(model), store, named, self.settings)
            is_fitted = store.has(resolved.key)
        if not is_fitted:
            raise NotFittedError(
                f"{named.name} is not fitted with {resolved.name}: run fit with that model first; the default model "
                "stays the same"
            )
        return set_default_model(named, self.settings, expression_of(resolved.choice))

    def compare(
        self,
        dataset: str,
        old: str | ModelChoice,
        new: str | ModelChoice,
        options: CompareOptions | None = None,
        **changes: Any,
    ) -> Comparison:
        """Compare a dataset's recommendations under two models that it is fitted with.

        Raises:
            NotFittedError: the dataset is not fitted with one of them.

        >>> report = workspace.fit("shop", "photos", model="colour", learn=False)
        >>> comparison = workspace.compare("shop", "colour-shape", "colour")
        >>> 0 <= comparison.overlap <= 1
        True
        """
        from image_similarity.quality import compare

        options, named = merge_options(CompareOptions, options, changes), Dataset.named(dataset)
        return compare(named, self.settings, (as_choice(old), as_choice(new)), options, self.progress)

    def calibrate(
        self,
        dataset: str,
        options: CalibrateOptions | None = None,
        *,
        model: str | ModelChoice = IN_USE,
        **changes: Any,
    ) -> CalibrateReport:
        """Learn match probabilities from the catalogue's own images; searches add them to their matches.

        Raises:
            CalibrationError: too few products have a readable image.

        >>> report = workspace.calibrate("shop", images=40)
        >>> answer = workspace.search("shop", "photo.jpg", number=3)
        >>> sum(match.probability for match in answer.matches) <= 1
        True
        """
        from image_similarity.quality import calibrate

        options, named = merge_options(CalibrateOptions, options, changes), Dataset.named(dataset)
        return calibrate(named, self.settings, as_choice(model), options, self.progress)

    def failures(self, dataset: str) -> Sequence[tuple[str, Failure]]:
        """The images that the latest extract and fit could not use, as pairs of job (``extract``, ``fit``) and failure.

        >>> for job, failure in workspace.failures("shop"):
        ...     print(job, failure.image_id, failure.reason)
        """
        from image_similarity.store import CatalogueRecords, Database

        path, named = Folders(self.settings.root).database, Dataset.named(dataset)
        with Database(path, named, timeout=self.settings.lock_timeout) as database:
            return list(CatalogueRecords(database).failures())

    def models(self) -> list[ModelRow]:
        """All named models, with licence, size and whether they are on this machine.

        >>> "VGG" in {row.name for row in workspace.models()}
        True
        """
        from image_similarity.models import table

        return table(self.settings)

    def pull_models(self, *names: str, to: str | Path | None = None) -> list[PulledModel]:
        """Download models from the hub into the workspace, or into the folder ``to`` for another machine.

        >>> [pulled.name for pulled in workspace.pull_models("colour-shape")]
        ['colour-shape']
        """
        from image_similarity.models import pull_models

        return pull_models(names, self.settings, Path(to) if to else None, self.progress)

    def verify_models(self) -> list[CheckedFile]:
        """Check every downloaded file against the lock file; ``problem`` is empty if they agree.

        >>> [checked.name for checked in workspace.verify_models() if checked.problem]
        []
        """
        from image_similarity.models import verify_models

        return verify_models(self.settings)

    def _opened(
        self,
        dataset: str,
        model: str | ModelChoice,
        data_augmentation: int | None = None,
        ahead: Query | None = None,
    ) -> Collection:
        from image_similarity.collection import Collection

        return Collection(
            Dataset.named(dataset),
            self.settings,
            model,
            data_augmentation=data_augmentation,
            ahead=ahead,
            progress=self.progress,
        )

    def _source(self, catalogue: str | Path | CatalogueSource, options: ExtractOptions) -> CatalogueSource:
        if not isinstance(catalogue, str | Path):
            return catalogue
        from image_similarity.catalogue import open_source

        return open_source(catalogue, products=options.products, columns=options.columns, settings=self.settings)

    def _folder(self, dataset: Dataset) -> Path:
        folder = Folders(self.settings.root).images(dataset)
        if not folder.is_dir():
            raise CatalogueError(f"there is no folder {folder}: give a catalogue, or put the images there")
        return folder
