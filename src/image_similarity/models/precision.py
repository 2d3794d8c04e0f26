"""How finely a network computes: what the processor can do, and which features are whose."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from image_similarity.types import ModelSpec

Floating = Literal["fp32", "bf16"]
LINUX_FLAGS = ("avx512_bf16", "amx_bf16")
ARM_FLAGS = ("bf16", "svebf16")
CPUINFO = Path("/proc/cpuinfo")


def key_at(key: str, precision: str, digest: str = "") -> str:
    """The key of a model's features at a precision: ``VGG``, ``VGG@bf16``, ``tiny@0a1b2c3d-int8-4e5f6071``.

    fp32 keeps the key as it is: those are the first version's names.

    Args:
        key: the key at fp32.
        precision: ``fp32``, ``bf16`` or ``int8``.
        digest: of an int8 network, whose calibration makes it a model of its own.
    """
    if precision == "fp32":
        return key
    suffix = f"{precision}-{digest}" if digest else precision
    return f"{key}{'-' if '@' in key else '@'}{suffix}"


def at_precision(spec: ModelSpec, precision: str, digest: str = "") -> ModelSpec:
    """A network's record at a precision, out of its record at fp32."""
    return replace(spec, key=key_at(spec.key, precision, digest), precision=precision)


def decided(stored: Collection[str], wish: str, bf16: bool) -> Floating:
    """What ``auto`` means.

    Nothing is computed twice because a workspace moved to another machine or the package was upgraded: what is
    stored decides first, then the wish, then the processor.

    Args:
        stored: the precisions that there are features of.
        wish: ``fp32`` or ``bf16`` from the settings; ``auto`` for none.
        bf16: whether the processor computes in bf16.
    """
    preferred: Floating = "bf16" if wish == "bf16" or (wish == "auto" and bf16) else "fp32"
    other: Floating = "fp32" if preferred == "bf16" else "bf16"
    return other if other in stored and preferred not in stored else preferred


@cache
def processor_has_bf16() -> bool:
    """Whether this processor multiplies bf16 numbers by itself. Cheap: OpenVINO is asked only where nobody else knows.

    The engine asks OpenVINO in any case; this decides only what a new dataset is computed in.
    """
    system, arm = platform.system(), platform.machine().lower() in ("arm64", "aarch64")
    if system == "Linux" and CPUINFO.exists():
        return has_flag(CPUINFO.read_text(encoding="utf-8", errors="replace"), ARM_FLAGS if arm else LINUX_FLAGS)
    if system == "Darwin":
        return arm and _macos_says("hw.optional.arm.FEAT_BF16")
    from image_similarity.models.openvino_network import computes_bf16

    return computes_bf16()


def has_flag(cpuinfo: str, wanted: tuple[str, ...]) -> bool:
    """Whether the flags of the first processor have one of those wanted; ``Features`` is what ARM calls flags."""
    for line in cpuinfo.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not set(wanted).isdisjoint(flags.split())
    return False


def _macos_says(name: str) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603 (a fixed command)
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.stdout.strip() == "1"
