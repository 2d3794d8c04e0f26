"""Read catalogues of products and images: folders, tables, and the first version's listings on S3.

Data flows: bytes (``table_files``, ``s3``) -> rows (``rows``) -> columns (``columns``) -> images and products
(``tables``, ``folders``). ``sources`` picks the right source; ``listing`` writes a table back.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.catalogue.addresses import (
        DATA as DATA,
        SCHEME_LESS as SCHEME_LESS,
        clean_address as clean_address,
        failure_of as failure_of,
        parse_address as parse_address,
        stable_address as stable_address,
    )
    from image_similarity.catalogue.catalogue_snapshot import CatalogueSnapshot as CatalogueSnapshot
    from image_similarity.catalogue.column_names import (
        parse_column_names as parse_column_names,
        read_column_names as read_column_names,
    )
    from image_similarity.catalogue.columns import (
        as_text as as_text,
        column_key as column_key,
    )
    from image_similarity.catalogue.department_listing import open_department as open_department
    from image_similarity.catalogue.id_clashes import resolve_id_clash as resolve_id_clash
    from image_similarity.catalogue.labels import (
        LabelledPhoto as LabelledPhoto,
        Labels as Labels,
        read_labels as read_labels,
    )
    from image_similarity.catalogue.listing import (
        LISTING as LISTING,
        Listing as Listing,
    )
    from image_similarity.catalogue.names import unsafe_reason as unsafe_reason
    from image_similarity.catalogue.pairs import read_pairs as read_pairs
    from image_similarity.catalogue.sources import open_source as open_source
    from image_similarity.catalogue.tables import TableSource as TableSource
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        addresses="DATA SCHEME_LESS parse_address failure_of stable_address clean_address",
        column_names="parse_column_names read_column_names",
        columns="as_text column_key",
        department_listing="open_department",
        id_clashes="resolve_id_clash",
        labels="LabelledPhoto Labels read_labels",
        listing="LISTING Listing",
        names="unsafe_reason",
        pairs="read_pairs",
        catalogue_snapshot="CatalogueSnapshot",
        sources="open_source",
        tables="TableSource",
    )
