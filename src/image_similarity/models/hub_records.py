"""The networks that can be pulled from the Hugging Face hub, one frozen record each.

Revisions and digests are those that public projects pin for the same files, or that the hub itself shows for them.
Where none was found, the first pull resolves the revision and locks the files that it downloads (``models.lock``,
docs/models.md).
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
    """One file of a repository. ``size``: in bytes; where only megabytes are known, those.

    ``sha256``: empty where none is known: the first pull trusts the file, and locks it.
    """

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
    punctuation: bool = True


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


_SIGLIP = InputSpec(224, "stretch", "bicubic")  # of open_clip's copies


def _siglip2_text(network: HubFile, tokenizer: HubFile) -> TextSpec:
    """SigLIP 2's text encoder; its texts were in lower case when it was trained."""
    return TextSpec(network, tokenizer, length=64, pad=0, end=1, output="pooler_output", lower_case=True)


_ALL = (
    HubRecord(
        name="Marqo-FashionSigLIP",
        repo="Marqo/marqo-fashionSigLIP",
        revision="c56244cc94f92419e8369fa71efdaf403b124ce8",
        file=HubFile(
            "onnx/vision_model.onnx", 372_000_000, "a7e773846b27a699c45ba7e3978514b7fca420662d7e69e3b9226982f09f4a13"
        ),
        dimension=768,
        input=_SIGLIP,
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Marqo's weights)",
        commercial_use=True,
        origin="SigLIP ViT-B/16, trained further on fashion",
        output="image_embeds",
        text=TextSpec(
            file=HubFile(
                "onnx/text_model.onnx", 441_000_000, "c1d501b23bddf27ba828c037b0780e44fdf47ca4c0b925ef190ab5bcf7aaf6e6"
            ),
            tokenizer=HubFile("tokenizer.json", 2_420_000),
            length=64,
            pad=1,  # the end token: SigLIP reads the padding too
            end=1,
            output="text_embeds",
            lower_case=True,  # as its own processor prepares texts
            punctuation=False,
        ),
    ),
    HubRecord(
        name="Marqo-Ecommerce-B",
        repo="Marqo/marqo-ecommerce-embeddings-B",
        revision="6854090aa39b2a9d70f390d83ae9e70cf9d9004e",
        file=HubFile(
            "open_clip_model.safetensors",
            813_000_000,
            "43c734d562a70e79111a48cf2f4fa2bc8e26e6fe29cec9fb818f106254afc865",
        ),
        dimension=768,
        input=_SIGLIP,
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Marqo's weights)",
        commercial_use=True,
        origin="SigLIP ViT-B/16, trained further on shop products",
        exported_from="vit_base_patch16_siglip_224",
    ),
    HubRecord(
        name="SigLIP2-B-384",
        repo="onnx-community/siglip2-base-patch16-384-ONNX",
        revision=NEWEST,
        file=HubFile("onnx/vision_model.onnx", 373_000_000),
        dimension=768,
        input=InputSpec(384, "stretch", "bilinear"),
        mean=HALF[0],
        std=HALF[1],
        licence="Apache-2.0 (Google's weights; the ONNX repository states none)",
        commercial_use=True,
        origin="google/siglip2-base-patch16-384",
        output="pooler_output",
        text=_siglip2_text(HubFile("onnx/text_model.onnx", 1_129_000_000), HubFile("tokenizer.json", 34_400_000)),
    ),
    HubRecord(
        name="SigLIP2-B-224",
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
        text=_siglip2_text(
            HubFile(
                "onnx/text_model.onnx",
                1_129_469_657,
                "baf12d941beabafafb14f7b4adb38dc15be18681b964a84410ec53d9d65e6293",
            ),
            HubFile("tokenizer.json", 34_363_039, "cb9140fae3ac5122c972d37adf83e1248471a38147ad76f8215c8872c6fd8322"),
        ),
    ),
    HubRecord(
        name="UNICOM-B32",
        repo="Qdrant/Unicom-ViT-B-32",
        revision="0e77bf0c0028b0ff34aafd7e5148c5fd8a98585c",
        file=HubFile("model.onnx", 467_000_000, "15ed6fdb6c3e027e0c838ec02498615e16b3d0933748671da98c184664b0f05b"),
        dimension=512,
        input=InputSpec(224, "crop", "bicubic"),
        mean=OPENAI[0],
        std=OPENAI[1],
        licence="Apache-2.0 (by the card of the ONNX repository; DeepGlint's weights)",
        commercial_use=True,
        origin="UNICOM ViT-B/32 (arXiv 2304.05884)",
    ),
    HubRecord(
        name="DINOv2-S",
        repo="onnx-community/dinov2-small",
        revision="8b1f705a3a7f6f062f6bdd21986c1583d3ef105d",
        file=HubFile("onnx/model.onnx", 88_532_934, "f22797eabf810a75e41de68d378541ebea372122b25c4ce3ef25ff618250c20a"),
        dimension=384,
        input=InputSpec(224, "crop", "bicubic", 256),
        mean=IMAGENET[0],
        std=IMAGENET[1],
        licence="Apache-2.0 (Meta's weights; the ONNX repository states none)",
        commercial_use=True,
        origin="facebook/dinov2-small",
        output="last_hidden_state",
        first_token=True,
    ),
)

RECORDS = {record.name: record for record in _ALL}
"""Records by name, in the order of the table."""
WITH_TEXT = tuple(record.name for record in _ALL if record.text is not None)
