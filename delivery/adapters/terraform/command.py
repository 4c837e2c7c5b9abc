"""Running the terraform program: argument lists, output to files, its own session, clean interruption.

A terraform whose stdout pipe dies, dies too and leaves its lock: it writes to a file that we read along.
SIGTERM goes to terraform alone, for a signal to its group would kill the provider under it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO, Any

from delivery.adapters.terraform.errors import translate
from delivery.errors import PrerequisiteError, ProviderError

Progress = Callable[[str], None]
_MIRROR_ROOTS = ("/opt", "/usr/share", "/usr/local/share")
#: A mirror of the project's own in its folder of tools; `make setup` fills it.
TOOLS, MIRROR = ".tools", "providers"
_HOST = "registry.terraform.io"
#: Ours alone: a stack, its modules and its providers are other people's code.
_WITHHELD = frozenset({"GITHUB_TOKEN"})


@dataclass(frozen=True, slots=True)
class Result:
    """One finished run."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Command:
    """How terraform is run: which binary, in what environment, for how long at most (seconds)."""

    binary: str
    environment: Mapping[str, str]
    timeout: float = 1800.0

    def run(
        self, folder: Path, data_dir: Path, arguments: Sequence[str], progress: Progress | None = None,
        accept: Sequence[int] = (0,),
    ) -> Result:  # fmt: skip
        """Run `terraform <arguments>` in `folder`; errors are translated, with the user's next step."""
        binary = shutil.which(self.binary, path=self.environment.get("PATH"))
        if binary is None:
            raise PrerequisiteError(
                "Terraform cannot be run",
                f"there is no program {self.binary!r}",
                "Install Terraform >= 1.10 (developer.hashicorp.com/terraform/install) or run `make setup`.",
            )
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = self._wait(self._start([binary, *arguments], folder, data_dir, out, err), out, progress)
            result = Result(code, _text(out), _text(err))
        if code not in accept:
            unlock = f"TF_DATA_DIR={quote(str(data_dir))} terraform -chdir={quote(str(folder))} force-unlock"
            raise translate(arguments[0], result.out, result.err, unlock)
        return result

    def _start(
        self, arguments: Sequence[str], folder: Path, data_dir: Path, out: IO[str], err: IO[str]
    ) -> subprocess.Popen[str]:
        environment = {
            **{name: value for name, value in self.environment.items() if name not in _WITHHELD},
            "TF_DATA_DIR": str(data_dir),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }
        if not own_configuration(self.environment):
            environment.pop("TF_CLI_CONFIG_FILE", None)
        return subprocess.Popen(
            list(arguments), cwd=folder, env=environment, stdout=out, stderr=err,
            stdin=subprocess.DEVNULL, start_new_session=True, text=True,
        )  # fmt: skip

    def _wait(self, process: subprocess.Popen[str], out: IO[str], progress: Progress | None) -> int:
        deadline, lines = time.monotonic() + self.timeout, _Lines(out.fileno())
        try:
            while (code := process.poll()) is None:
                self._tell(lines, progress)
                if time.monotonic() > deadline:
                    why = f"it did not end within {self.timeout:g} s"
                    raise ProviderError(
                        "Terraform was stopped", why, "Look at the last progress line, then retry."
                    )
                time.sleep(0.1)
            self._tell(lines, progress)
            return code
        finally:
            if process.poll() is None:
                process.terminate()  # also on an interrupt of our own run: lets it release its lock
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=60)

    @staticmethod
    def _tell(lines: _Lines, progress: Progress | None) -> None:
        for line in lines.new():
            told = _progress_line(line)
            if progress is not None and told:
                progress(told)


class _Lines:
    """Follows a growing file by position, beside the process that writes it."""

    def __init__(self, descriptor: int) -> None:
        self._path, self._offset, self._rest = Path(f"/proc/self/fd/{descriptor}"), 0, b""

    def new(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            grown = file.read()
        self._offset += len(grown)
        *whole, self._rest = (self._rest + grown).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _progress_line(line: str) -> str:
    """People's words for one line of terraform's `-json` output; empty for what need not be told."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return ""
    # `output -json` is one document over many lines, some of which are JSON by themselves.
    if isinstance(event, dict) and event.get("type") in ("apply_complete", "apply_errored", "change_summary"):
        return str(event.get("@message", ""))
    return ""


def own_configuration(environment: Mapping[str, str]) -> bool:
    """Whether the user configured terraform's providers: their words come first."""
    named = environment.get("TF_CLI_CONFIG_FILE")
    return bool(named and Path(named).is_file()) or (Path.home() / ".terraformrc").is_file()


def plugin_arguments(environment: Mapping[str, str], tools: Path | None = None) -> list[str]:
    """`-plugin-dir` for a provider mirror found on this machine, if the user configured nothing.

    A machine without internet often keeps a mirror, laid out as host/namespace/type/version/platform,
    under a folder of /opt or /usr/share; `tools` is one more folder to look in, and the first.
    """
    if own_configuration(environment):
        return []
    for root in (*([tools] if tools else []), *map(Path, _MIRROR_ROOTS)):
        for pattern in (f"{_HOST}/hashicorp/aws", f"*/{_HOST}/hashicorp/aws", f"*/*/{_HOST}/hashicorp/aws"):
            for found in sorted(root.glob(pattern)):
                return [f"-plugin-dir={found.parents[2]}"]
    return []
