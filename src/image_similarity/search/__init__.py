"""Search: query preparation, ranking state, match probabilities, explanations, answers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.search.answer import (
        Answer as Answer,
        ShownProduct as ShownProduct,
        probability_text as probability_text,
        score_texts as score_texts,
        show_products as show_products,
    )
    from image_similarity.search.calibration.curves import (
        Curve as Curve,
        fit_curve as fit_curve,
    )
    from image_similarity.search.calibration.file import (
        StoredCalibration as StoredCalibration,
        read_calibrations as read_calibrations,
        write_calibrations as write_calibrations,
    )
    from image_similarity.search.calibration.probabilities import (
        Calibration as Calibration,
        ProbabilityCurve as ProbabilityCurve,
    )
    from image_similarity.search.calibration.query_scores import (
        DEPTH as DEPTH,
        FEATURES as FEATURES,
        Answers as Answers,
        QueryScores as QueryScores,
        features as features,
    )
    from image_similarity.search.explanation import (
        Explained as Explained,
        Why as Why,
        explain as explain,
    )
    from image_similarity.search.match_probability import (
        OLDER as OLDER,
        MatchProbabilities as MatchProbabilities,
        ProbabilityCache as ProbabilityCache,
        calibration_file as calibration_file,
    )
    from image_similarity.search.part_weights import (
        part_weighting as part_weighting,
        supported_matches as supported_matches,
    )
    from image_similarity.search.prepared_query import (
        PreparedQuery as PreparedQuery,
        photo_bytes as photo_bytes,
        photo_name as photo_name,
        prepare as prepare,
    )
    from image_similarity.search.query_vector import search_vectors as search_vectors
    from image_similarity.search.recommended import (
        look_up as look_up,
        model_with_recommendations as model_with_recommendations,
        recommendations as recommendations,
    )
    from image_similarity.search.scoring import (
        COLOUR as COLOUR,
        CROPS as CROPS,
        MEAN as MEAN,
        OPTIONS as OPTIONS,
        PHOTO as PHOTO,
        SEVERAL as SEVERAL,
        SHAPE as SHAPE,
        scoring_of as scoring_of,
    )
    from image_similarity.search.state import (
        State as State,
        indexed_state as indexed_state,
        next_state as next_state,
        open_state as open_state,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        answer="Answer ShownProduct score_texts show_products probability_text",
        calibration__curves="Curve fit_curve",
        calibration__file="StoredCalibration read_calibrations write_calibrations",
        calibration__probabilities="Calibration ProbabilityCurve",
        calibration__query_scores="Answers DEPTH FEATURES QueryScores features",
        explanation="Explained Why explain",
        match_probability="ProbabilityCache MatchProbabilities OLDER calibration_file",
        part_weights="part_weighting supported_matches",
        prepared_query="PreparedQuery photo_bytes photo_name prepare",
        query_vector="search_vectors",
        recommended="look_up recommendations model_with_recommendations",
        scoring="PHOTO SEVERAL SHAPE COLOUR CROPS MEAN OPTIONS scoring_of",
        state="State next_state open_state indexed_state",
    )
