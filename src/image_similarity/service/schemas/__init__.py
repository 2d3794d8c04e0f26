"""The schemas of every request and response, with examples. docs/service.md shows them in use."""

from image_similarity.service.schemas.about import (
    Attribute,
    AttributeValue,
    Catalogue,
    Failure,
    FailureCount,
    Failures,
    Model,
    Models,
    ModelState,
    Status,
)
from image_similarity.service.schemas.feedback import Feedback, FeedbackCounts
from image_similarity.service.schemas.fields import LONGEST_ID, MOST_IMAGES, MOST_NUMBER, Condition, Number, ProductId
from image_similarity.service.schemas.images import Crop, Image, Photo, PhotoForm, PhotoId, ProductImage
from image_similarity.service.schemas.jobs import BulkProduct, Job, JobFailure, JobRequest, Jobs, JobState, TableForm
from image_similarity.service.schemas.problems import FieldProblem, Problem
from image_similarity.service.schemas.products import Product, ProductChange, ProductForm, ProductPage, PutProduct
from image_similarity.service.schemas.search import (
    MOST_PHOTOS,
    Match,
    Matches,
    SearchAddress,
    SearchForm,
    SearchRequest,
    Why,
)

__all__ = [
    "LONGEST_ID",
    "MOST_IMAGES",
    "MOST_NUMBER",
    "MOST_PHOTOS",
    "Attribute",
    "AttributeValue",
    "BulkProduct",
    "Catalogue",
    "Condition",
    "Crop",
    "Failure",
    "FailureCount",
    "Failures",
    "Feedback",
    "FeedbackCounts",
    "FieldProblem",
    "Image",
    "Job",
    "JobFailure",
    "JobRequest",
    "JobState",
    "Jobs",
    "Match",
    "Matches",
    "Model",
    "ModelState",
    "Models",
    "Number",
    "Photo",
    "PhotoForm",
    "PhotoId",
    "Problem",
    "Product",
    "ProductChange",
    "ProductForm",
    "ProductId",
    "ProductImage",
    "ProductPage",
    "PutProduct",
    "SearchAddress",
    "SearchForm",
    "SearchRequest",
    "Status",
    "TableForm",
    "Why",
]
