"""Download and decode images: bytes to upright RGB pixels, pixels to views, or an error with its stage."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.images.crops import with_crops as with_crops
    from image_similarity.images.data_uris import data_uri as data_uri
    from image_similarity.images.decoder import (
        DecodeTask as DecodeTask,
        decoding_with as decoding_with,
    )
    from image_similarity.images.decoding import (
        REPAIRED as REPAIRED,
        decode as decode,
        read_bytes as read_bytes,
    )
    from image_similarity.images.download import (
        Download as Download,
        Outcome as Outcome,
        download_all as download_all,
        has_bytes as has_bytes,
    )
    from image_similarity.images.fetch import fetch_one as fetch_one
    from image_similarity.images.fetch_log import FetchLog as FetchLog
    from image_similarity.images.host_headers import (
        HostHeaders as HostHeaders,
        parse_headers as parse_headers,
    )
    from image_similarity.images.model_inputs import decoded_inputs as decoded_inputs
    from image_similarity.images.pacing import RetryableError as RetryableError, with_retries as with_retries
    from image_similarity.images.plain_background import on_plain_background as on_plain_background
    from image_similarity.images.reply_bodies import (
        ACCEPT_HEADERS as ACCEPT_HEADERS,
        RETRY_STATUSES as RETRY_STATUSES,
        ReplyError as ReplyError,
        Sink as Sink,
        TooLargeError as TooLargeError,
        copy_body as copy_body,
        is_complete as is_complete,
    )
    from image_similarity.images.simulator import (
        STANDARD as STANDARD,
        simulated_photo as simulated_photo,
    )
    from image_similarity.images.spooled_file import (
        ImageData as ImageData,
        SpooledImage as SpooledImage,
        bytes_of as bytes_of,
        digest_of as digest_of,
    )
    from image_similarity.images.thumbnails import (
        as_jpeg as as_jpeg,
        shrunk as shrunk,
        thumbnail as thumbnail,
    )
    from image_similarity.images.unreachable_hosts import UnreachableHosts as UnreachableHosts
    from image_similarity.images.urls import (
        PORTS as PORTS,
        AddressError as AddressError,
        port_of as port_of,
        redirect_url as redirect_url,
        request_url as request_url,
    )
    from image_similarity.images.views import (
        ONE_VIEW as ONE_VIEW,
        ORIGINAL as ORIGINAL,
        SIX_VIEWS as SIX_VIEWS,
        min_side as min_side,
        square as square,
        squares as squares,
        stack as stack,
        views_for as views_for,
        white_background as white_background,
    )
else:
    from image_similarity.util.face import face

    __getattr__ = face(
        __name__,
        crops="with_crops",
        data_uris="data_uri",
        decoder="DecodeTask decoding_with",
        decoding="REPAIRED decode read_bytes",
        download="Outcome Download download_all has_bytes",
        fetch="fetch_one",
        fetch_log="FetchLog",
        host_headers="HostHeaders parse_headers",
        model_inputs="decoded_inputs",
        pacing="RetryableError with_retries",
        plain_background="on_plain_background",
        reply_bodies="ACCEPT_HEADERS RETRY_STATUSES ReplyError Sink TooLargeError copy_body is_complete",
        simulator="STANDARD simulated_photo",
        spooled_file="ImageData SpooledImage bytes_of digest_of",
        thumbnails="as_jpeg shrunk thumbnail",
        unreachable_hosts="UnreachableHosts",
        urls="AddressError PORTS redirect_url port_of request_url",
        views="ONE_VIEW ORIGINAL SIX_VIEWS min_side square squares stack views_for white_background",
    )
