"""Where products and images are listed: folders, tables, and the first version's listings on S3.

Data flows: bytes (``tables``, ``s3``) -> rows (``rows``) -> columns (``columns``) -> images and products
(``tables``, ``folders``, ``listing``). ``sources`` picks the right one; ``ledger`` writes a table back.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.catalogue.addresses import (
        DATA as DATA,
        SCHEME_LESS as SCHEME_LESS,
        as_address as as_address,
        failure_of as failure_of,
        lasting as lasting,
        tidy as tidy,
    )
    from image_similarity.catalogue.column_names import (
        parsed as parsed,
        read_names as read_names,
    )
    from image_similarity.catalogue.columns import (
        as_text as as_text,
        plain as plain,
    )
    from image_similarity.catalogue.department_listing import open_department as open_department
    from image_similarity.catalogue.id_clashes import under_its_own_id as under_its_own_id
    from image_similarity.catalogue.labels import (
        LabelledPhoto as LabelledPhoto,
        Labels as Labels,
        read_labels as read_labels,
    )
    from image_similarity.catalogue.ledger import (
        LISTING as LISTING,
        Listing as Listing,
    )
    from image_similarity.catalogue.names import unsafe_reason as unsafe_reason
    from image_similarity.catalogue.pairs import read_pairs as read_pairs
    from image_similarity.catalogue.read_catalogue import ReadCatalogue as ReadCatalogue
    from image_similarity.catalogue.sources import open_source as open_source
    from image_similarity.catalogue.tables import TableSource as TableSource
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        addresses="DATA SCHEME_LESS as_address failure_of lasting tidy",
        column_names="parsed read_names",
        columns="as_text plain",
        department_listing="open_department",
        id_clashes="under_its_own_id",
        labels="LabelledPhoto Labels read_labels",
        ledger="LISTING Listing",
        names="unsafe_reason",
        pairs="read_pairs",
        read_catalogue="ReadCatalogue",
        sources="open_source",
        tables="TableSource",
    )
