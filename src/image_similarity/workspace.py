"""The library's front door: one object, one method a job."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.dataset import Dataset
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.models.choice import IN_USE, ModelChoice
from image_similarity.settings import Folders, Settings
from image_similarity.types import Failure, Notes, Progress, Told, no_notes, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from image_similarity.fitting.extract import ExtractReport
    from image_similarity.fitting.fit import FitReport
    from image_similarity.images.download_options import DownloadOptions
    from image_similarity.index.filters import Filter
    from image_similarity.models.inventory import Checked, ModelRow, Pulled
    from image_similarity.quality.adapt import AdaptReport
    from image_similarity.quality.calibrate import CalibrateReport
    from image_similarity.quality.compare import Comparison
    from image_similarity.quality.evaluation.report import EvaluateOptions, Evaluation
    from image_similarity.search.answer import Answer
    from image_similarity.search.default_model import InUse
    from image_similarity.search.part_weights import Like
    from image_similarity.types import CatalogueSource

    ColumnChoice = Mapping[str, str | Sequence[str]] | None

LOOKED_AT = 1000  # images looked at to learn whether a catalogue lists addresses


class Workspace:
    """A ``data/`` directory and everything that can be done in it.

    Args:
        root: the directory; None takes ``IMAGE_SIMILARITY_WORKSPACE``, else ``data``. Made when first written to.
        settings: every setting at once, in place of the environment's.
        progress: told how far each job is.
        notes: told what is to be known of a catalogue: what was guessed, joined, or left out.

    Every method raises :class:`~image_similarity.errors.ImageSimilarityError` for anything that a person can mend.
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
        catalogue: str | Path,
        dataset: str,
        *,
        products: str | Path | None = None,
        columns: ColumnChoice = None,
        options: DownloadOptions | None = None,
        allow_removal: bool = False,
    ) -> ExtractReport:
        """Download the images that a table lists into ``data/dataset/{dataset}``.

        Args:
            catalogue: a CSV, JSON lines or Parquet table; a path or ``s3://bucket/key``.
            dataset: the dataset's name.
            products: a table of titles and descriptions, where the catalogue has them apart.
            columns: see :meth:`fit`.
            options: how many at a time, how often, whether to ask again for what is there.
            allow_removal: go on however many products the catalogue lists no longer, see ``Settings.max_removal``.
        """
        from image_similarity.fitting.extract import extract

        source, named = self._source(catalogue, products, columns), Dataset.named(dataset)
        return extract(
            source,
            named,
            self.settings,
            options=options,
            allow_removal=allow_removal,
            progress=self.progress,
            notes=self.notes,
        )

    def extract_department(
        self,
        department: int,
        domain_id: str = "0341",
        *,
        options: DownloadOptions | None = None,
        allow_removal: bool = False,
    ) -> ExtractReport:
        """Download the images of one of the first version's departments (0: all), from its listing on S3."""
        from image_similarity.fitting.extract import extract_department

        return extract_department(
            department,
            domain_id,
            self.settings,
            options=options,
            allow_removal=allow_removal,
            progress=self.progress,
            notes=self.notes,
        )

    def fit(
        self,
        dataset: str,
        catalogue: str | Path | None = None,
        *,
        products: str | Path | None = None,
        columns: ColumnChoice = None,
        model: str | ModelChoice = IN_USE,
        weights: str | Path | None = None,
        weights_digest: str | None = None,
        data_augmentation: int = 0,
        number: int = 10,
        aggregate: str = "best",
        downloads: DownloadOptions | None = None,
        allow_removal: bool = False,
    ) -> FitReport:
        """Compute the features that are missing and write each product's most similar products.

        Args:
            dataset: the dataset's name.
            catalogue: a folder or a table; None: the folder ``data/dataset/{dataset}``. Addresses are downloaded.
            products: a table of titles and descriptions, where the catalogue has them apart.
            columns: which column is the ``product``, the ``image`` (or several), the ``image_id``, the ``title``, the
                ``description``, where their names are not known: ``{"image": ["Photo", "Photo 2"]}``.
            model: a name (``VGG``, ``Inception_Resnet``, ``colour-shape``), the path of a ``.toml`` description, or a
                :class:`~image_similarity.models.choice.ModelChoice`, which says a precision too; several side by
                side, ``VGG+0.2*colour``, and what was learned for them, ``VGG+adapted``. Left out, here and elsewhere:
                the one that the dataset uses (see :meth:`use`), else ``Inception_Resnet``.
            weights: a local weights file in place of the download.
            weights_digest: MD5 or SHA-256 of one's own weights.
            data_augmentation: 1 for the six views of each image.
            number: similar products for each product.
            aggregate: ``best``, ``mean`` or ``votes``.
            downloads: how addresses are downloaded, as the ``options`` of :meth:`extract`.
            allow_removal: go on however many products the catalogue lists no longer, see ``Settings.max_removal``.
        """
        from image_similarity.catalogue.s3 import read_once
        from image_similarity.fitting.fit import FitOptions, fit

        named = Dataset.named(dataset)
        choice = self._choice(named, model, weights, weights_digest).within(self.settings)
        options = FitOptions(choice, data_augmentation, number, aggregate, allow_removal)
        told = Told(self.notes)
        with read_once():
            source = self._source(catalogue or self._folder(named), products, columns)
            if any(image.is_remote for image in islice(source, LOOKED_AT)):
                from image_similarity.fitting.extract import extract  # here: only addresses need what downloads take

                extract(
                    source,
                    named,
                    self.settings,
                    options=downloads,
                    allow_removal=allow_removal,
                    progress=self.progress,
                    notes=told,
                )
            return replace(fit(source, named, self.settings, options, self.progress, told), notes=told.texts)

    def similar(
        self,
        dataset: str,
        product_id: str | None = None,
        *,
        model: str | ModelChoice = IN_USE,
        weights_digest: str | None = None,
        number: int | None = None,
        like: Like | None = None,
    ) -> Answer:
        """The products most similar to one, or to one picked by chance.

        ``like`` asks the index instead of the recommendations: only the ``shape`` counts (the same thing in other
        colours), or only the ``colour``.
        """
        from image_similarity.search.similar import similar

        named = Dataset.named(dataset)
        choice = self._choice(named, model, None, weights_digest)
        return similar(named, self.settings, product_id, model=choice, number=number, like=like)

    def search(
        self,
        dataset: str,
        photo: str | Path | bytes | Sequence[str | Path | bytes] | None = None,
        *,
        model: str | ModelChoice = IN_USE,
        weights: str | Path | None = None,
        weights_digest: str | None = None,
        data_augmentation: int | None = None,
        number: int = 10,
        aggregate: str = "best",
        filter: str | Filter | None = None,  # noqa: A002 (the flag's name)
        text: str | None = None,
        text_weight: float = 0.5,
        min_match: float | None = None,
        explain: bool = False,
        crops: bool = False,
        like: Like | None = None,
    ) -> Answer:
        """The products that look most like what is on a photo: a path, an address, or the bytes of a file.

        Several photos of one thing ask together: each finds its own, and a product's score is by ``aggregate``.
        ``text`` says what they should be like in words, for models that know words; beside a photo its share is
        ``text_weight``, from 0 to 1.
        ``data_augmentation`` None compares with the views that the dataset was fitted with. ``filter`` lets only
        products with certain attributes be found: ``'price < 50 and brand in ("a", "b")'``, see docs/answers.md.
        ``min_match`` leaves out products that are it with less than this probability; :meth:`calibrate` first.
        ``explain`` says why each product was found: its score's parts, and the region of the photo that carried it.
        ``crops``: the photo asks together with its middle and its corners, by their mean vector.
        ``like``: only its ``shape`` counts (the same thing in other colours), or only its ``colour``.
        """
        from image_similarity.search.photo_search import SearchOptions, search
        from image_similarity.search.text_query import Words

        named = Dataset.named(dataset)
        words = None if text is None else Words(text, text_weight)
        choice = self._choice(named, model, weights, weights_digest)
        options = SearchOptions(
            choice, number, aggregate, data_augmentation, filter, words, min_match, explain, crops, like
        )
        return search(photo, named, self.settings, options, self.progress)

    def evaluate(
        self,
        dataset: str,
        *,
        model: str | ModelChoice | Sequence[str | ModelChoice] = IN_USE,
        weights: str | Path | None = None,
        weights_digest: str | None = None,
        options: EvaluateOptions | None = None,
    ) -> Evaluation:
        """How often the right product comes first, of one model or of several side by side; docs/evaluation.md.

        ``options`` say what to ask and what with: labels, protocols, simulated photos, a seed.
        """
        from image_similarity.quality.evaluate import evaluate
        from image_similarity.quality.evaluation.report import STANDARD

        models = [model] if isinstance(model, (str, ModelChoice)) else list(model)
        if len(models) > 1 and (weights is not None or weights_digest is not None):
            raise UsageError("weights belong to one model: evaluate it alone, or give a ModelChoice for each")
        named = Dataset.named(dataset)
        choices = [self._choice(named, each, weights, weights_digest) for each in models]
        return evaluate(named, self.settings, choices, options or STANDARD, self.progress)

    def adapt(
        self,
        dataset: str,
        *,
        model: str | ModelChoice = IN_USE,
        weights_digest: str | None = None,
        pairs: Sequence[tuple[str, str]] = (),
    ) -> AdaptReport:
        """Learn from the products with several images which differences do not matter; kept only if it helps.

        ``pairs`` are ids of products that are alike: each pair counts as one product.
        """
        from image_similarity.quality.adapt import adapt

        named = Dataset.named(dataset)
        choice = self._choice(named, model, None, weights_digest)
        return adapt(named, self.settings, choice, self.progress, pairs=pairs)

    def use(self, dataset: str, model: str | ModelChoice | None = None) -> InUse:
        """Ask a dataset with this model wherever none is named, from now on, in one step; None: say which it is."""
        from image_similarity.search.default_model import model_in_use, use

        named = Dataset.named(dataset)
        if model is None:
            return model_in_use(named, self.settings)
        return use(named, self.settings, self._choice(named, model))

    def compare(
        self, dataset: str, old: str | ModelChoice, new: str | ModelChoice, *, number: int = 10, shown: int = 20
    ) -> Comparison:
        """How the similar products of a dataset differ between two models that it is fitted with.

        Args:
            dataset: the dataset's name.
            old: the one model.
            new: the other.
            number: of the most similar products that are compared.
            shown: products that change most, with both answers.
        """
        from image_similarity.quality.compare import compare

        named = Dataset.named(dataset)
        sides = self._choice(named, old), self._choice(named, new)
        return compare(named, self.settings, *sides, number=number, shown=shown, progress=self.progress)

    def calibrate(
        self,
        dataset: str,
        *,
        model: str | ModelChoice = IN_USE,
        weights: str | Path | None = None,
        weights_digest: str | None = None,
        known: float = 0.5,
        pictures: int = 600,
    ) -> CalibrateReport:
        """Learn how sure a search's answer is, from at most so many of the catalogue's own pictures.

        ``known`` is the share of photos whose product is in the catalogue: your guess, for nobody can measure it.
        """
        from image_similarity.quality.calibrate import calibrate
        from image_similarity.quality.calibration.learn import LearnOptions

        named, options = Dataset.named(dataset), LearnOptions(known=known)
        choice = self._choice(named, model, weights, weights_digest)
        return calibrate(named, self.settings, choice, self.progress, pictures=pictures, options=options)

    def failures(self, dataset: str) -> Sequence[tuple[str, Failure]]:
        """The images that the latest extract and fit could not use, each with its job."""
        from image_similarity.fitting.failures import failures

        return failures(Dataset.named(dataset), self.settings)

    def models(self) -> list[ModelRow]:
        """Every model there is by name, with its licence, size and whether it is here."""
        from image_similarity.models.inventory import table

        return table(self.settings)

    def pull_models(self, *names: str, to: str | Path | None = None) -> list[Pulled]:
        """Bring models from the hub into the workspace, or into a folder to be carried to another machine."""
        from image_similarity.models.inventory import pull_models

        return pull_models(names, self.settings, Path(to) if to else None, self.progress)

    def verify_models(self) -> list[Checked]:
        """Hash every file that was pulled and compare it with the lock."""
        from image_similarity.models.inventory import verify_models

        return verify_models(self.settings)

    def _source(self, catalogue: str | Path, products: str | Path | None, columns: ColumnChoice) -> CatalogueSource:
        from image_similarity.catalogue import open_source

        return open_source(catalogue, products=products, columns=columns, settings=self.settings)

    def _folder(self, dataset: Dataset) -> Path:
        folder = Folders(self.settings.root).dataset / dataset.name
        if not folder.is_dir():
            raise CatalogueError(f"there is no folder {folder}: give a catalogue, or put the images there")
        return folder

    def _choice(
        self,
        dataset: Dataset,
        model: str | ModelChoice,
        weights: str | Path | None = None,
        weights_digest: str | None = None,
    ) -> ModelChoice:
        if isinstance(model, str):
            choice = ModelChoice(model, Path(weights) if weights else None, weights_digest)
        elif weights is not None or weights_digest is not None:
            raise UsageError("a ModelChoice names its own weights: leave weights and weights_digest out")
        else:
            choice = model
        if choice.name != IN_USE:
            return choice
        from image_similarity.search.default_model import model_in_use

        return replace(choice, name=model_in_use(dataset, self.settings).model)
