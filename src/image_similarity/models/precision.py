"""The precision of networks: what the processor supports, and the keys of features at each precision."""

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

    At fp32 the key is unchanged: those are the first version's names.

    Args:
        key: the key at fp32.
        precision: ``fp32``, ``bf16`` or ``int8``.
        digest: of an int8 network, since another calibration makes another model.
    """
    if precision == "fp32":
        return key
    suffix = f"{precision}-{digest}" if digest else precision
    return f"{key}{'-' if '@' in key else '@'}{suffix}"


def at_precision(spec: ModelSpec, precision: str, digest: str = "") -> ModelSpec:
    """A network's record at a precision, from its record at fp32."""
    return replace(spec, key=key_at(spec.key, precision, digest), precision=precision)


def choose_precision(stored: Collection[str], setting: str, bf16: bool) -> Floating:
    """Choose the precision for ``auto``.

    Stored features decide first, then the setting, then the processor: so nothing is computed twice because a workspace
    was moved to another machine or the package was upgraded.

    Args:
        stored: the precisions of stored features.
        setting: ``fp32``, ``bf16`` or ``auto``.
        bf16: whether the processor computes in bf16.
    """
    preferred: Floating = "bf16" if setting == "bf16" or (setting == "auto" and bf16) else "fp32"
    other: Floating = "fp32" if preferred == "bf16" else "bf16"
    return other if other in stored and preferred not in stored else preferred


@cache
def processor_has_bf16() -> bool:
    """Whether this processor supports bf16, for the precision of new datasets.

    Imports OpenVINO, which is slow, only where the operating system does not report it.
    """
    system, arm = platform.system(), platform.machine().lower() in ("arm64", "aarch64")
    if system == "Linux" and CPUINFO.exists():
        return has_flag(CPUINFO.read_text(encoding="utf-8", errors="replace"), ARM_FLAGS if arm else LINUX_FLAGS)
    if system == "Darwin":
        return arm and _macos_has("hw.optional.arm.FEAT_BF16")
    from image_similarity.models.openvino_network import computes_bf16

    return computes_bf16()


def has_flag(cpuinfo: str, flags: tuple[str, ...]) -> bool:
    """Whether the first processor has any of the flags; ``Features`` is ARM's name for flags."""
    for line in cpuinfo.splitlines():
        name, _, found = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not set(flags).isdisjoint(found.split())
    return False


def _macos_has(name: str) -> bool:
    try:
        ended = subprocess.run(  # noqa: S603 (a fixed command)
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return ended.stdout.strip() == "1"
