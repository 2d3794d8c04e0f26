"""What an answer is made of: ranking, texts, match probabilities, explanations."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.search.answer import (
        Answer as Answer,
        Shown as Shown,
        score_texts as score_texts,
        show_products as show_products,
        surety_text as surety_text,
    )
    from image_similarity.search.calibration.curves import (
        KINDS as KINDS,
        Curve as Curve,
    )
    from image_similarity.search.calibration.file import (
        KeptCalibration as KeptCalibration,
        write_calibration as write_calibration,
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
        joined as joined,
    )
    from image_similarity.search.explanation import (
        Explained as Explained,
        Why as Why,
        explain as explain,
    )
    from image_similarity.search.match_probability import (
        CALIBRATED as CALIBRATED,
        OLDER as OLDER,
        KeptProbabilities as KeptProbabilities,
        MatchProbabilities as MatchProbabilities,
        calibration_file as calibration_file,
    )
    from image_similarity.search.part_weights import weighing as weighing
    from image_similarity.search.prepared_query import (
        PreparedQuery as PreparedQuery,
        photo_bytes as photo_bytes,
        photo_name as photo_name,
        prepare as prepare,
    )
    from image_similarity.search.query_vector import searched_with as searched_with
    from image_similarity.search.recommended import (
        look_up as look_up,
        recommendations as recommendations,
        with_recommendations as with_recommendations,
    )
    from image_similarity.search.state import (
        State as State,
        next_state as next_state,
        open_state as open_state,
        whole_state as whole_state,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        answer="Answer Shown score_texts show_products surety_text",
        calibration__curves="Curve KINDS",
        calibration__file="KeptCalibration write_calibration",
        calibration__probabilities="Calibration ProbabilityCurve",
        calibration__query_scores="Answers DEPTH FEATURES QueryScores features joined",
        explanation="Explained Why explain",
        match_probability="CALIBRATED KeptProbabilities MatchProbabilities OLDER calibration_file",
        part_weights="weighing",
        prepared_query="PreparedQuery photo_bytes photo_name prepare",
        query_vector="searched_with",
        recommended="look_up recommendations with_recommendations",
        state="State next_state open_state whole_state",
    )
