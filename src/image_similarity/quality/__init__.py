"""Measure search quality, and improve it with the catalogue itself: evaluation, comparison, calibration, adaptation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.quality.adaptation.job import (
        AdaptReport as AdaptReport,
        adapt as adapt,
    )
    from image_similarity.quality.calibration.job import (
        CalibrateReport as CalibrateReport,
        calibrate as calibrate,
    )
    from image_similarity.quality.comparison import (
        Comparison as Comparison,
        compare as compare,
    )
    from image_similarity.quality.evaluation.job import evaluate as evaluate
    from image_similarity.quality.evaluation.metrics import NAMES as NAMES
    from image_similarity.quality.evaluation.page import result_tables as result_tables
    from image_similarity.quality.evaluation.report import Evaluation as Evaluation
    from image_similarity.quality.evaluation.results import Result as Result
    from image_similarity.quality.evaluation.thresholds import (
        below_thresholds as below_thresholds,
        parse_threshold as parse_threshold,
    )
    from image_similarity.quality.learning import (
        Learning as Learning,
        learn_from_catalogue as learn_from_catalogue,
    )
    from image_similarity.quality.selection import (
        Selection as Selection,
        select_model as select_model,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        adaptation__job="AdaptReport adapt",
        calibration__job="CalibrateReport calibrate",
        comparison="Comparison compare",
        evaluation__job="evaluate",
        evaluation__metrics="NAMES",
        evaluation__page="result_tables",
        evaluation__report="Evaluation",
        evaluation__results="Result",
        selection="Selection select_model",
        learning="Learning learn_from_catalogue",
        evaluation__thresholds="below_thresholds parse_threshold",
    )
