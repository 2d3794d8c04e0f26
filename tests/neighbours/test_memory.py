"""What is held of a memory map while it is read through does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from image_similarity.neighbours.allpairs.tiles import SIDE
from image_similarity.util.memory import release, trim

# The most that a search of everything held of mapped files above what it began with, in MB, as the system counts it.
SEARCH = """
import sys
import numpy as np
from pathlib import Path
from image_similarity.neighbours.{module} import {name}
from image_similarity.util import memory as mapped

def held():
    return int(Path("/proc/self/status").read_text().partition("RssFile:")[2].split()[0]) / 1024

peak, real = 0, mapped.release
def watched(part):
    global peak
    peak = max(peak, held())
    real(part)

vectors = np.load(sys.argv[1], mmap_mode="r").view(np.ndarray)
import image_similarity.neighbours.{module} as module
module.release = watched
{search}  # once, so that all libraries are loaded
peak, before = 0, held()
{search}
print(max(peak, held()) - before)
"""
TWO_QUERIES = "ExactIndex(vectors).search(vectors[:2], 10)"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say what a process holds")
def test_a_search_holds_a_part_of_the_mapped_vectors(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    np.save(path, np.ones((64 * 512, 512), np.float16))  # 32 MB
    script = SEARCH.format(module="exact", name="ExactIndex", search=TWO_QUERIES)
    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 8


# The most of a mapped matrix that all pairs held at once, in MB, looked at whenever a part of it is asked for.
PAIRS = """
import sys
import numpy as np
from pathlib import Path
from image_similarity.neighbours.allpairs import rerank as closepairs
from image_similarity.neighbours.allpairs import tiles
from image_similarity.neighbours.allpairs.exact import all_pairs

def held():
    of_file = Path("/proc/self/smaps").read_text().partition(sys.argv[1])[2]
    return int(of_file.partition("Rss:")[2].split()[0]) / 1024

most, real = 0, closepairs.release
def watched(part):
    global most
    most = max(most, held())
    real(part)

closepairs.release = tiles.release = watched
vectors = np.load(sys.argv[1], mmap_mode="r").view(np.ndarray)
all_pairs(vectors, 20, Path(sys.argv[2]))
print(most)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not say what a process holds")
def test_all_pairs_hold_a_part_of_the_mapped_vectors(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    drawn = np.random.default_rng(1).standard_normal((8 * SIDE, 1024), np.float32)
    np.save(path, (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16))  # 16 MB
    command = [sys.executable, "-c", PAIRS, str(path), str(tmp_path / "work")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0 < float(ended.stdout) < 13


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries have no such call")
def test_freed_memory_goes_back_to_the_system() -> None:
    def held() -> float:
        return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]) / 1024

    many = [bytes(1024) for _ in range(60_000)]
    last = many.pop()  # the C library gives back by itself only what stands behind the last that is in use
    before = held()
    many.clear()
    trim()
    assert held() < before - 40
    assert len(last) == 1024


def test_what_was_let_go_can_be_read_and_written_again(tmp_path: Path) -> None:
    written = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float16, (5000, 16))
    written[:] = 1
    release(written[100:4000])
    written[4999] = 2
    release(written)
    written.flush()
    read = np.load(tmp_path / "a.npy", mmap_mode="r").view(np.ndarray)
    release(read[1:])
    assert (read[:4999] == 1).all()
    assert (read[4999] == 2).all()


def test_private_changes_and_what_is_no_map_stay(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100_000))
    private, plain = np.load(tmp_path / "a.npy", mmap_mode="c"), np.zeros(100_000)
    for array in (private, plain):
        array[:] = 3
        release(array)
        assert (array == 3).all()
    release(plain[:0])
    release(plain[::2])


def test_a_system_without_the_call_keeps_what_it_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(100_000))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    release(mapped, advice=None)
    assert (mapped == 1).all()


KEPT = """
import gc
from pathlib import Path
from PIL import Image
from image_similarity.util.memory import trim_at_once

def held():
    return int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0]) / 1024

if {at_once}:
    trim_at_once()
for _ in range(3):  # what is freed teaches the C library to keep as much
    Image.new("RGB", (3000, 3000))
pictures = [Image.new("RGB", (2000, 2000)) for _ in range(12)]
before = held()
pictures = pictures[-1:]
gc.collect()
print(before - held())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a system that does not say")
def test_a_service_gives_large_blocks_back_at_once() -> None:
    def given_back(at_once: bool) -> float:
        code = KEPT.format(at_once=at_once)
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)

    if given_back(False) > 100:
        pytest.skip("a C library that keeps nothing")
    assert given_back(True) > 100


NEW_PAGES = """
import resource
import numpy as np
from image_similarity.util.memory import keep_freed

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [np.ones(1 << 20, np.uint8) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(new_pages())
keep_freed()
new_pages()
print(new_pages())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries have no such call")
def test_a_command_maps_no_new_pages_for_each_array() -> None:
    ended = subprocess.run([sys.executable, "-c", NEW_PAGES], capture_output=True, check=True, text=True)
    before, after = map(int, ended.stdout.split())
    if before < 1000:
        pytest.skip("a C library that keeps them by itself")
    assert after < before / 10
