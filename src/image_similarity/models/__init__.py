"""Embedding models, from a model's name to its network: pixels to unit vectors. Only this room handles networks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.models.colour_shape_record import COLOUR_SHAPE_PARTS as COLOUR_SHAPE_PARTS
    from image_similarity.models.default_model import (
        BY_FIT as BY_FIT,
        BY_USE as BY_USE,
        DefaultModel as DefaultModel,
        default_model_file as default_model_file,
        read_default_model as read_default_model,
        set_default_model as set_default_model,
    )
    from image_similarity.models.int8 import (
        digest_of as digest_of,
        quantise as quantise,
    )
    from image_similarity.models.inventory import (
        PULLED as PULLED,
        CheckedFile as CheckedFile,
        ModelRow as ModelRow,
        PulledModel as PulledModel,
        pull_models as pull_models,
        table as table,
        verify_models as verify_models,
    )
    from image_similarity.models.licences import (
        first_warning as first_warning,
        warnings_of as warnings_of,
    )
    from image_similarity.models.mixture import (
        ADAPTED_SUFFIX as ADAPTED_SUFFIX,
        key_of as key_of,
    )
    from image_similarity.models.model import (
        Embedder as Embedder,
        Inputs as Inputs,
        Model as Model,
        ModelPart as ModelPart,
    )
    from image_similarity.models.openvino_runtime import import_openvino as import_openvino
    from image_similarity.models.projection import (
        ProjectedPhotos as ProjectedPhotos,
        Projection as Projection,
        projection_digest as projection_digest,
        projection_facts as projection_facts,
        read_projected_photos as read_projected_photos,
        read_projection as read_projection,
        record_file as record_file,
        write_projection as write_projection,
    )
    from image_similarity.models.recipe import Recipe as Recipe
    from image_similarity.models.registry import OFFLINE_MODEL as OFFLINE_MODEL
    from image_similarity.models.resolver import (
        define_model as define_model,
        expression_of as expression_of,
        int8_folder as int8_folder,
        projection_folder as projection_folder,
        resolve as resolve,
    )
    from image_similarity.models.standard import (
        STANDARD as STANDARD,
        STANDARD_MIXTURE as STANDARD_MIXTURE,
        standard_parts as standard_parts,
    )
    from image_similarity.models.text import (
        load_text_model as load_text_model,
        text_specs_of as text_specs_of,
    )
    from image_similarity.models.unit_vectors import (
        ZERO_VECTOR as ZERO_VECTOR,
        embed_each as embed_each,
        is_usable as is_usable,
        mean_vector as mean_vector,
        unit_length as unit_length,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        colour_shape_record="COLOUR_SHAPE_PARTS",
        default_model="BY_FIT BY_USE DefaultModel default_model_file read_default_model set_default_model",
        int8="digest_of quantise",
        inventory="PULLED CheckedFile ModelRow PulledModel pull_models table verify_models",
        licences="first_warning warnings_of",
        mixture="ADAPTED_SUFFIX key_of",
        model="Embedder Inputs Model ModelPart",
        openvino_runtime="import_openvino",
        projection=(
            "ProjectedPhotos Projection projection_digest projection_facts read_projected_photos read_projection "
            "record_file write_projection"
        ),
        recipe="Recipe",
        registry="OFFLINE_MODEL",
        resolver="define_model expression_of int8_folder projection_folder resolve",
        standard="STANDARD STANDARD_MIXTURE standard_parts",
        text="load_text_model text_specs_of",
        unit_vectors="ZERO_VECTOR embed_each is_usable mean_vector unit_length",
    )
