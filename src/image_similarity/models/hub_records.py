"""The networks that can be pulled from the Hugging Face hub, one frozen record each.

Revisions and digests are those that several public projects pin for the same files. Where none was found, the first
pull resolves the revision and locks the files that it downloads (``models.lock``, docs/models.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from image_similarity.types import InputSpec

Triple = tuple[float, float, float]

IMAGENET: tuple[Triple, Triple] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OPENAI: tuple[Triple, Triple] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF: tuple[Triple, Triple] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
NEWEST = "main"  # in place of a revision that is not known: resolved and locked at the first pull


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository. ``size``: in bytes; approximate where there is no ``sha256``."""

    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class TextSpec:
    """The text encoder of a model: its network, its tokeniser, and the input that the network was trained with."""

    file: HubFile
    tokenizer: HubFile
    length: int  # tokens: shorter texts are padded, longer ones cut
    pad: int
    end: int  # the token that every text ends with
    output: str
    lower_case: bool = False


@dataclass(frozen=True, slots=True)
class HubRecord:
    """All that determines a pulled model's vectors, and its licence.

    ``mean`` and ``std`` are of RGB in 0..1. ``output`` None is the network's first; ``first_token`` takes the first of
    the output's tokens. ``exported_from``: timm's name of a network of which the hub has the weights, but no graph; a
    pull then exports the graph, once.
    """

    name: str
    repo: str
    revision: str
    file: HubFile
    dimension: int
    input: InputSpec
    mean: Triple
    std: Triple
    licence: str
    commercial_use: bool
    origin: str
    output: str | None = None
    first_token: bool = False
    text: TextSpec | None = None
    exported_from: str = ""

    @property
    def files(self) -> tuple[HubFile, ...]:
        """The files that a pull downloads."""
        return (self.file,) if self.text is None else (self.file, self.text.file, self.text.tokenizer)

    @property
    def graph(self) -> str:
        """The network's path below the repository's folder."""
        return "model.onnx" if self.exported_from else self.file.path


_DINO = InputSpec(224, "crop", "bicubic", 256)
_CLIP = InputSpec(224, "crop", "bicubic")

_ALL = (
    HubRecord(
        name="DINOv2-S",
        repo="onnx-community/dinov2-small",
        revision="8b1f705a3a7f6f062f6bdd21986c1583d3ef105d",
        file=HubFile("onnx/model.onnx", 88_532_934, "f22797eabf810a75e41de68d378541ebea372122b25c4ce3ef25ff618250c20a"),
        dimension=384,
        input=_DINO,
        mean=IMAGENET[0],
        std=IMAGENET[1],
        licence="Apache-2.0 (Meta's weights; the ONNX repository states none)",
        commercial_use=True,
        origin="facebook/dinov2-small",
        output="last_hidden_state",
        first_token=True,
    ),
    HubRecord(
        name="DINOv2-B",
        repo="onnx-community/dinov2-base",
        revision="31ef06cac16d5d301c5930d147002a058c85a5e4",
        file=HubFile(
            "onnx/model.onnx", 346_627_111, "320d1012a6fc65b101fc85ca30ee7a47b2e4f6a2e8bd78fb9d7036def0e30cb0"
        ),
        dimension=768,
        input=_DINO,
        mean=IMAGENET[0],
        std=IMAGENET[1],
        licence="Apache-2.0 (Meta's weights; the ONNX repository states none)",
        commercial_use=True,
        origin="facebook/dinov2-base",
        output="last_hidden_state",
        first_token=True,
    ),
    HubRecord(
        name="SigLIP2-B",
        repo="onnx-community/siglip2-base-patch16-224-ONNX",
        revision="ba1f3b0843f24bc5417d38e19c37b287d719b2f4",
        file=HubFile(
            "onnx/vision_model.onnx", 371_807_752, "c0573e3f4140c3a7c4e9cc5912bd6b26a033b46a6a8e8af26cbea262b163bcad"
        ),
        dimension=768,
        input=InputSpec(224, "stretch", "bilinear"),
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Google's weights; the ONNX repository states none)",
        commercial_use=True,
        origin="google/siglip2-base-patch16-224",
        output="pooler_output",
        text=TextSpec(
            file=HubFile(
                "onnx/text_model.onnx",
                1_129_469_657,
                "baf12d941beabafafb14f7b4adb38dc15be18681b964a84410ec53d9d65e6293",
            ),
            tokenizer=HubFile(
                "tokenizer.json", 34_000_000, "cb9140fae3ac5122c972d37adf83e1248471a38147ad76f8215c8872c6fd8322"
            ),
            length=64,
            pad=0,
            end=1,
            output="pooler_output",
            lower_case=True,  # its texts were in lower case when it was trained
        ),
    ),
    HubRecord(
        name="SigLIP-B16-384",
        repo="Xenova/siglip-base-patch16-384",
        revision=NEWEST,
        file=HubFile("onnx/vision_model.onnx", 372_000_000),
        dimension=768,
        input=InputSpec(384, "stretch", "bicubic"),
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Google's weights)",
        commercial_use=True,
        origin="google/siglip-base-patch16-384",
        output="pooler_output",
    ),
    HubRecord(
        name="CLIP-B32",
        repo="Xenova/clip-vit-base-patch32",
        revision="d15189d7028b43f1d3e65039190477f6af591c2a",
        file=HubFile(
            "onnx/vision_model.onnx", 351_685_709, "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40"
        ),
        dimension=512,
        input=_CLIP,
        mean=OPENAI[0],
        std=OPENAI[1],
        licence="MIT (OpenAI's weights)",
        commercial_use=True,
        origin="openai/clip-vit-base-patch32",
        output="image_embeds",
        text=TextSpec(
            file=HubFile(
                "onnx/text_model.onnx", 254_058_553, "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc"
            ),
            tokenizer=HubFile(
                "tokenizer.json", 2_224_119, "f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd"
            ),
            length=77,
            pad=49407,
            end=49407,
            output="text_embeds",
        ),
    ),
    HubRecord(
        name="UNICOM-B32",
        repo="Qdrant/Unicom-ViT-B-32",
        revision=NEWEST,
        file=HubFile("model.onnx", 480_000_000),
        dimension=512,
        input=_CLIP,
        mean=OPENAI[0],
        std=OPENAI[1],
        licence="MIT (DeepGlint's weights)",
        commercial_use=True,
        origin="UNICOM ViT-B/32 (arXiv 2304.05884)",
    ),
    HubRecord(
        name="PE-Core-S",
        repo="timm/vit_pe_core_small_patch16_384.fb",
        revision=NEWEST,
        file=HubFile("model.safetensors", 96_000_000),
        dimension=512,
        input=InputSpec(384, "stretch", "bilinear"),  # Meta's own transform; timm's copy says otherwise
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Meta's weights)",
        commercial_use=True,
        origin="facebook/PE-Core-S16-384",
        exported_from="vit_pe_core_small_patch16_384",
    ),
)

RECORDS = {record.name: record for record in _ALL}
"""Records by name, in the order of the table."""
WITH_TEXT = tuple(record.name for record in _ALL if record.text is not None)
