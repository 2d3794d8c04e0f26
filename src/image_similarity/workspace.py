"""The library's front door: one object, one method a job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_similarity.dataset import Dataset
from image_similarity.errors import CatalogueError, NotFittedError
from image_similarity.options import (
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
    from image_similarity.fitting import ExtractReport, FitReport
    from image_similarity.models import Checked, DefaultModel, ModelRow, Pulled
    from image_similarity.options import Photo, SearchOptions
    from image_similarity.quality import AdaptReport, CalibrateReport, Comparison, Evaluation
    from image_similarity.search import Answer
    from image_similarity.types import CatalogueSource


class Workspace:
    """A ``data/`` directory and everything that can be done in it.

    Args:
        root: the directory; None takes ``IMAGE_SIMILARITY_WORKSPACE``, else ``data``. Made when first written to.
        settings: every setting at once, in place of the environment's.
        progress: told how far each job is.
        notes: told what is to be known of a catalogue: what was guessed, joined, or left out.

    Options are records of :mod:`image_similarity.options`; a single one may be given by its name, as in
    ``workspace.fit("shop", "photos", number=5)``. A model is a name (``VGG``, ``Inception_Resnet``, ``colour-shape``),
    the path of a ``.toml`` description, several side by side (``VGG+0.2*colour``), what was learned for them
    (``VGG+adapted``), or a :class:`~image_similarity.options.ModelChoice`, which says a precision too. Where none is
    named it is the one that the dataset uses (see :meth:`use`), else ``Inception_Resnet``.

    Every method raises :class:`~image_similarity.errors.ImageSimilarityError` for anything that a person can mend.

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
        """Download the images that a table lists into ``data/dataset/{dataset}``.

        Args:
            catalogue: a CSV, JSON lines or Parquet table, by its path or ``s3://bucket/key``; or a ``CatalogueSource``.
            dataset: the dataset's name.
            options: how the table is read, how many images at a time, whether to ask again for what is there.
            changes: single options by their names.

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
        """Download the images of one of the first version's departments (0: all), from its listing on S3.

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
        """Compute the features that are missing and write each product's recommendations.

        Args:
            dataset: the dataset's name.
            catalogue: a folder, a table, or whatever lists images as a ``CatalogueSource`` does; None: the folder
                ``data/dataset/{dataset}``. Addresses are downloaded.
            options: the model, how many recommendations, how the catalogue is read.
            changes: single options by their names: ``model="VGG"``, ``number=5``, ``data_augmentation=1``.

        >>> report = workspace.fit("toys", "photos", model="colour-shape", number=5)
        >>> report.counts.failed
        0
        >>> report.recommendations.name
        'toys_model_colour-shape'
        """
        from image_similarity.catalogue import CatalogueSnapshot
        from image_similarity.fitting import fit
        from image_similarity.models import named as model_named

        options, named = merge_options(FitOptions, options, changes), Dataset.named(dataset)
        model = model_named(options.choice, named, self.settings)  # before anything is read, downloaded or computed
        told = NoteLog(self.notes)
        listed = self._source(self._folder(named) if catalogue is None else catalogue, options)
        with CatalogueSnapshot(listed, self.progress) as source:
            if options.download and source.has_addresses:
                from image_similarity.fitting import extract

                extract(source, named, self.settings, options, self.progress, told)
            report = fit(source, named, self.settings, model, options, self.progress, told)
            return replace(report, notes=told.texts)

    def open(
        self, dataset: str, model: str | ModelChoice = IN_USE, *, data_augmentation: int | None = None
    ) -> Collection:
        """A fitted dataset, held open: search, put and remove products, many times and from any thread.

        Args:
            dataset: the dataset's name.
            model: the model.
            data_augmentation: 1 compares with the six views, 0 with the images alone; None: as fitted.

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
        """Open a dataset, search it once, and close it; see :meth:`open`.

        Args:
            dataset: the dataset's name.
            query: a photo (a path, an address, or the bytes of a file), several of one thing, or a
                :class:`~image_similarity.options.Query` with a text or a crop beside it.
            options: how to search.
            model: the model.
            data_augmentation: as :meth:`open` has it.
            changes: single options by their names: ``number=5``, ``text="in red"``, ``filter="price < 50"``,
                ``explain=True``.

        >>> answer = workspace.search("shop", "photo.jpg", number=3)
        >>> for match in answer.matches:
        ...     print(match.rank, match.product_id, match.score)
        1 ...
        2 ...
        3 ...
        """
        from image_similarity.collection import query_and_options

        query, options = query_and_options(query, options, changes)  # before anything is opened
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
        """The products most similar to one, or to one picked by chance.

        They are looked up among the recommendations of the latest fit; ``filter`` and ``match`` rank anew.

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
            anew = collection.similar(product_id, replace(options, number=number))
        if anew is None:
            raise NotFittedError(f"{product_id} has gone from {named.name} since the last fit: run fit again")
        return anew

    def evaluate(
        self,
        dataset: str,
        options: EvaluateOptions | None = None,
        *,
        model: str | ModelChoice | Sequence[str | ModelChoice] = IN_USE,
        **changes: Any,
    ) -> Evaluation:
        """How often the right product comes first, of one model or of several side by side; docs/evaluation.md.

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
        """Learn from products with several images which differences to ignore; kept only if it helps.

        ``pairs`` are ids of products that are alike: each pair counts as one product.

        >>> report = workspace.adapt("shop")
        >>> report.use
        'colour-shape+adapted'
        """
        from image_similarity.quality import adapt

        return adapt(Dataset.named(dataset), self.settings, as_choice(model), self.progress, pairs=pairs)

    def use(self, dataset: str, model: str | ModelChoice | None = None) -> DefaultModel:
        """Make a model the dataset's default, in one step; None: say which it is.

        Raises:
            NotFittedError: the dataset is not fitted with it; the default stays.

        >>> workspace.use("shop").model
        'colour-shape'
        >>> workspace.fit("shop", "photos", model="colour").model_key
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
            asked = model_with_recommendations(as_choice(model), store, named, self.settings)
            is_fitted = store.has(asked.key)
        if not is_fitted:
            raise NotFittedError(
                f"{named.name} is not fitted with {asked.name}: run fit with that model first; the model in use goes "
                "on answering meanwhile"
            )
        return set_default_model(named, self.settings, expression_of(asked.choice))

    def compare(
        self,
        dataset: str,
        old: str | ModelChoice,
        new: str | ModelChoice,
        options: CompareOptions | None = None,
        **changes: Any,
    ) -> Comparison:
        """How the recommendations of a dataset differ between two models that it is fitted with.

        >>> report = workspace.fit("shop", "photos", model="colour")
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
        """Learn match probabilities from the catalogue's own images.

        >>> report = workspace.calibrate("shop", images=40)
        >>> answer = workspace.search("shop", "photo.jpg", number=3)
        >>> sum(match.probability for match in answer.matches) <= 1
        True
        """
        from image_similarity.quality import calibrate

        options, named = merge_options(CalibrateOptions, options, changes), Dataset.named(dataset)
        return calibrate(named, self.settings, as_choice(model), options, self.progress)

    def failures(self, dataset: str) -> Sequence[tuple[str, Failure]]:
        """The images that the latest extract and fit could not use, each with its job.

        >>> for job, failure in workspace.failures("shop"):
        ...     print(job, failure.image_id, failure.reason)
        """
        from image_similarity.store import CatalogueRecords, Database

        path, named = Folders(self.settings.root).database, Dataset.named(dataset)
        with Database(path, named, timeout=self.settings.lock_timeout) as database:
            return list(CatalogueRecords(database).failures())

    def models(self) -> list[ModelRow]:
        """Every model there is by name, with its licence, size and whether it is here.

        >>> "VGG" in {row.name for row in workspace.models()}
        True
        """
        from image_similarity.models import table

        return table(self.settings)

    def pull_models(self, *names: str, to: str | Path | None = None) -> list[Pulled]:
        """Bring models from the hub into the workspace, or into a folder to be carried to another machine.

        >>> [pulled.name for pulled in workspace.pull_models("colour-shape")]
        ['colour-shape']
        """
        from image_similarity.models import pull_models

        return pull_models(names, self.settings, Path(to) if to else None, self.progress)

    def verify_models(self) -> list[Checked]:
        """Hash every file that was pulled and compare it with the lock.

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
