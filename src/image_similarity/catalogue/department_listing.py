"""The first version's listings on S3: every product and image of one department."""

from __future__ import annotations

import re

from image_similarity.catalogue.tables import PLACEHOLDER, TableSource
from image_similarity.dataset import Dataset
from image_similarity.errors import UsageError
from image_similarity.settings import Settings

REGION = "eu-west-1"
BUCKET = "preprod.datamining"
KEY = "images/data/pixlIDs_domain_id_{domain_id}_dpt_num_department_{department}000.gz"
DOMAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def department_location(department: int, domain_id: str) -> str:
    """The S3 address of a department's listing; 0: all departments.

    Raises:
        UsageError: a negative department, or a domain with characters other than letters, digits, ``-`` and ``_``.
    """
    Dataset.department(department)
    if not DOMAIN_ID.fullmatch(domain_id):
        raise UsageError(f"`domain_id` must be letters, digits, - and _ (such as 0341), not {domain_id!r}")
    return f"s3://{BUCKET}/{KEY.format(domain_id=domain_id, department=department)}"


def open_department(department: int, domain_id: str, settings: Settings) -> TableSource:
    """The catalogue of ``dpt_number`` and ``domain_id``: images ``{product}_{pixl}.jpg`` with their addresses.

    S3 is first requested when the source is iterated.

    Raises:
        UsageError: invalid arguments.
        CatalogueError: while iterating: no such listing, no credentials, no response, no such columns.
    """
    location = department_location(department, domain_id)
    if PLACEHOLDER not in settings.image_address:
        raise UsageError(f"the image address {settings.image_address!r} must hold {PLACEHOLDER}")
    return TableSource(location, settings, region=REGION)
