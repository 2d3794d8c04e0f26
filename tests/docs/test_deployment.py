"""The container and the systemd unit, as far as they can be checked without an engine."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from tests.support.servers import Answer, image_server

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
PAGE = re.sub(r"\\\n +", "", (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"))
MOST_EXPOSED = 20  # of 100, as systemd counts


def run_checker(name: str, *arguments: str) -> None:
    """Run a program that may not be here; where it is not, the test has nothing to say."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    ended = subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def instructions(name: str) -> list[str]:
    """What follows a word of the Dockerfile, in the order of the file."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service: dict[str, Any] = content["services"]["image-similarity"]
    return service


def health_check() -> list[str]:
    """The command by which an engine asks whether the service is well."""
    (check,) = instructions("HEALTHCHECK")
    command: list[str] = json.loads(check.partition("CMD")[2])
    return command


# The image ----------------------------------------------------------------------------------------------------------


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    run_checker("hadolint", "Dockerfile")


def test_the_image_runs_as_nobody_special_and_holds_no_tools() -> None:
    built, final = instructions("FROM")
    assert built.endswith(" AS built")
    assert final == built.removesuffix(" AS built")
    (user,) = instructions("USER")
    assert all(int(number) >= 10_000 for number in user.split(":"))
    after = DOCKERFILE.partition(f"FROM {final}\n")[2]
    assert "pip" not in after
    assert not re.search(r"\b(ADD|curl|wget|apt-get|sudo)\b", DOCKERFILE)


def test_what_the_image_is_built_from_is_there_and_nothing_else_goes_to_the_engine() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    sent = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for copy in instructions("COPY") if "--from" not in copy for name in copy.split()[:-1]}
    assert copied == sent
    assert all((ROOT / name).exists() for name in sent)
    assert any(fnmatch("src/image_similarity/__pycache__", pattern) for pattern in ignored[1:])


def test_what_goes_to_the_engine_is_enough_to_build_from(tmp_path: Path) -> None:
    for copy in (copy for copy in instructions("COPY") if "--from" not in copy):
        *names, target = copy.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tmp_path / target)
            else:
                shutil.copy(ROOT / name, tmp_path / target)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    packed = set(ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.relative_to(ROOT / "src").as_posix() for path in files} <= packed


def test_the_image_serves_by_a_command_that_there_is() -> None:
    from typer.main import get_command

    from image_similarity.cli.app import app

    (entry,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entry) == ["image-similarity"]
    understood(get_command(app), json.loads(command))


def understood(group: Any, command: list[str]) -> None:
    """Parse a command as the command line would, without running it."""
    name, *arguments = command
    chosen = group.commands[name]
    if hasattr(chosen, "commands"):
        understood(chosen, arguments)
        return
    with chosen.make_context(name, arguments):
        pass


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False), (None, False)])
def test_the_health_check_says_whether_the_service_is_well(status: int | None, well: bool) -> None:
    with image_server() as server:
        server.give("/healthz", Answer(status=status or 200))
        port = server.address.rpartition(":")[2]
        command = [sys.executable if part == "python" else part.replace("8000", port) for part in health_check()]
        if status is None:
            server.close()
        ended = subprocess.run(command, capture_output=True, timeout=60)
    assert (ended.returncode == 0) is well


# Compose ------------------------------------------------------------------------------------------------------------


def test_the_compose_file_is_what_the_schema_says() -> None:
    run_checker("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_container_may_do_little(composed: dict[str, Any]) -> None:
    assert composed["read_only"] is True
    assert composed["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in composed["security_opt"]
    assert composed["mem_limit"]
    assert composed["pids_limit"]
    assert all(port.startswith("127.0.0.1:") for port in composed["ports"])
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(composed)


def test_the_container_writes_where_the_image_does(composed: dict[str, Any]) -> None:
    (volume,) = composed["volumes"]
    assert instructions("VOLUME") == [volume.split(":")[1]]
    assert [place.split(":")[0] for place in composed["tmpfs"]] == ["/tmp"]


def test_compose_runs_and_asks_as_the_image_does(composed: dict[str, Any]) -> None:
    assert composed["command"] == json.loads(instructions("CMD")[0])
    assert composed["healthcheck"]["test"] == ["CMD", *health_check()]


# systemd ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit of the docs; its program is one that is here."""
    (text,) = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "image-similarity.service"
    path.write_text(re.sub(r"(?<=^ExecStart=)\S+", sys.executable, text, flags=re.MULTILINE))
    return path


def test_systemd_understands_the_unit(unit: Path) -> None:
    run_checker("systemd-analyze", "verify", str(unit))


def test_systemd_finds_the_unit_little_exposed(unit: Path) -> None:
    run_checker("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(unit))


def test_the_unit_says_everything_once_and_keeps_to_its_directory(unit: Path) -> None:
    lines = [line for line in unit.read_text().splitlines() if "=" in line]
    names = [line.partition("=")[0] for line in lines if not line.startswith("SystemCallFilter=")]
    assert len(names) == len(set(names))
    assert {"User=image-similarity", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= set(
        lines
    )
    assert "StateDirectory=image-similarity" in lines
    assert any("--workspace /var/lib/image-similarity " in line for line in lines)


@pytest.mark.parametrize(
    "command", re.findall(r"(?:run --rm.*? image-similarity|bin/image-similarity) +((?:serve|fit|keys) .*)", PAGE)
)
def test_every_command_of_the_page_is_one(command: str) -> None:
    from typer.main import get_command

    from image_similarity.cli.app import app

    understood(get_command(app), shlex.split(command))
