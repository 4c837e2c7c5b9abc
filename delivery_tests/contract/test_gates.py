"""Gates: in memory, and in hardened containers that untrusted code tries to leave."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from delivery.adapters.docker.container import EXPIRES, LABEL
from delivery.adapters.docker.gates import DockerGates
from delivery.core.build import GateResult, GateStatus
from delivery.core.service import GateSpec
from delivery.errors import PrerequisiteError
from delivery.ports import Gates
from delivery_tests.fakes import FakeGates, Wire

PASSES = "def test_it():\n    assert True\n"
FAILS = "def test_it():\n    assert False\n"
UNIT = [
    "pytest",
    "-p",
    "no:cacheprovider",
    "--junitxml=out/junit.xml",
    "--cov=.",
    "--cov-report=xml:out/coverage.xml",
]


@dataclass
class Scene:
    """The port, a commit's folder, and how to make the gate `unit` come out badly."""

    gates: Gates
    folder: Path
    gate: GateSpec
    break_tests: Callable[[], None]


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A commit whose one test passes."""
    test = tmp_path / "test_app.py"
    test.write_text(PASSES)
    gate = GateSpec("unit", UNIT, "gates", junit="out/junit.xml", coverage="out/coverage.xml")
    if request.param == "fake":
        fake = FakeGates(Wire())
        return Scene(fake, tmp_path, gate, lambda: fake.fail("unit", "1 of 1 tests failed"))
    image = request.getfixturevalue("gates_image")
    real = GateSpec(gate.name, gate.command, image, junit=gate.junit, coverage=gate.coverage)
    return Scene(DockerGates(), tmp_path, real, lambda: test.write_text(FAILS) and None)


def test_a_good_commit_passes(scene: Scene) -> None:
    """It passes, with its numbers, and people see that it runs."""
    told: list[str] = []
    result = scene.gates.run(scene.gate, scene.folder, told.append)
    assert result.status is GateStatus.PASSED, result
    assert result.numbers["coverage"] > 0 and result.numbers["tests"] > 0
    assert told and "unit" in told[0]


def test_a_bad_commit_fails_and_nothing_is_raised(scene: Scene) -> None:
    """A bad commit is a result, with a reason and the last lines it said."""
    scene.break_tests()
    result = scene.gates.run(scene.gate, scene.folder, lambda line: None)
    assert result.status is GateStatus.FAILED and "1 of 1 tests failed" in result.reason
    assert result.output


@dataclass
class Ground:
    """Where gates are tried: `python` runs a program as a gate, on a folder with the given files."""

    image: str
    folder: Path
    client: docker.DockerClient

    def __post_init__(self) -> None:
        self.name = f"g{uuid.uuid4().hex[:8]}"

    def run(self, *command: str, **more: object) -> GateResult:
        """One gate of this test's own name."""
        gate = GateSpec(self.name, command, self.image, **more)  # type: ignore[arg-type]
        return DockerGates().run(gate, self.folder, lambda line: None)

    def python(self, program: str, **more: object) -> GateResult:
        """A gate that is this program."""
        return self.run("python", "-c", program, **more)

    def left(self) -> list[str]:
        """Containers of this test's gates that still exist."""
        return [
            c.id for c in self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.name}"})
        ]


@pytest.fixture
def ground(gates_image: str, docker_client: docker.DockerClient, tmp_path: Path) -> Ground:
    """An empty commit."""
    return Ground(gates_image, tmp_path, docker_client)


@pytest.mark.sandbox
def test_a_gate_has_no_network(ground: Ground) -> None:
    """Not to the internet, not to this machine, not to AWS's metadata."""
    result = ground.python(
        "import socket\n"
        "for host in ('1.1.1.1', '172.17.0.1', '169.254.169.254'):\n"
        "    try: socket.create_connection((host, 80), 2); print('reached', host)\n"
        "    except OSError as error: print('blocked', error)\n"
        "print([name for _, name in socket.if_nameindex()])"
    )
    assert result.status is GateStatus.PASSED
    assert sum(line.startswith("blocked") for line in result.output) == 3
    assert result.output[-1] == "['lo']"


@pytest.mark.sandbox
def test_a_gate_writes_nowhere_but_in_its_copy(ground: Ground) -> None:
    """The root is read-only, the commit's folder on this machine stays as it was."""
    (ground.folder / "kept").write_text("as it was")
    result = ground.python(
        "import os\n"
        "for path in ('/x', '/etc/passwd', '/gate/x', '/proc/sys/kernel/hostname', '/sys/x'):\n"
        "    try: open(path, 'w').write('x'); print('wrote', path)\n"
        "    except OSError as error: print('kept', path)\n"
        "open('kept', 'w').write('changed'); open('new', 'w').write('x'); open('/tmp/x', 'w').write('x')"
    )
    assert result.status is GateStatus.PASSED, result.output
    assert all(line.startswith("kept") for line in result.output) and len(result.output) == 5
    assert [p.name for p in ground.folder.iterdir()] == ["kept"]
    assert (ground.folder / "kept").read_text() == "as it was"


@pytest.mark.sandbox
def test_a_gate_has_no_privileges_and_no_docker(ground: Ground) -> None:
    """Not root, no capability even after setuid, no socket of the engine."""
    result = ground.python(
        "import os\n"
        "text = open('/proc/self/status').read().splitlines()\n"
        "lines = dict(line.split(':\\t') for line in text if ':\\t' in line)\n"
        "print(os.getuid(), int(lines['CapEff'], 16), int(lines['CapBnd'], 16), lines['NoNewPrivs'])\n"
        "print([p for p in ('/var/run/docker.sock', '/run/docker.sock') if os.path.exists(p)])"
    )
    assert result.output == ("65532 0 0 1", "[]")


@pytest.mark.sandbox
def test_a_gate_sees_no_secret_of_ours(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is the image's and what the gate's own configuration names."""
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    result = ground.python("import os; print(dict(os.environ))", environment={"LEVEL": "strict"})
    assert "hunter2" not in str(result) and "'LEVEL': 'strict'" in result.output[0]


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import os, signal, time\nfor s in (15, 2, 1): signal.signal(s, signal.SIG_IGN)\ntime.sleep(600)",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\ntime.sleep(600)",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    ],
    ids=["spins", "ignores-signals", "daemonises", "fork-bomb"],
)
def test_a_gate_that_does_not_end_is_stopped_with_all_it_started(ground: Ground, program: str) -> None:
    """Its time is over: an error, and neither container nor process is left."""
    result = ground.python(program, timeout=2.0)
    assert result.status is GateStatus.ERROR and "did not end within 2 s" in result.reason
    assert ground.left() == []


@pytest.mark.sandbox
def test_a_gate_gets_no_more_memory_than_it_may(ground: Ground) -> None:
    """Being killed for memory is said in words."""
    result = ground.python("x = b'x' * (1 << 30)", memory_mb=128)
    assert result.status is GateStatus.ERROR and "128 MB of memory" in result.reason
    assert ground.left() == []


@pytest.mark.sandbox
def test_a_gate_cannot_write_one_huge_file(ground: Ground) -> None:
    """A file ends at half a gigabyte; /tmp at a quarter."""
    result = ground.python(
        "def fill(path):\n"
        "    try:\n"
        "        with open(path, 'wb', buffering=0) as f:\n"
        "            while f.write(b'x' * (1 << 22)): pass\n"
        "    except OSError: return f.name\n"
        "import os\n"
        "print(os.path.getsize(fill('/tmp/big')) >> 20, os.path.getsize(fill('big')) >> 20)",
        memory_mb=2048,
    )
    assert result.output == ("256 512",)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("pass", "missing"),
        ("write('')", "empty"),
        ("write('not xml')", "no XML"),
        ("write('<testsuites/>')", "0 tests is not a pass"),
        ("write('<testsuite><testcase><skipped/></testcase></testsuite>')", "all 1 tests were skipped"),
        ("write('<!DOCTYPE x [<!ENTITY a \"b\">]><testsuite><testcase/></testsuite>')", "entities"),
        ("import os; os.makedirs('out/junit.xml')", "not a plain file"),
        ("import os; os.makedirs('out'); os.symlink('/etc/passwd', 'out/junit.xml')", "not a plain file"),
        ("write('<a>' + 'x' * (21 << 20) + '</a>')", "larger than 20 MB"),
        ("import sys; write('<testsuite><testcase/></testsuite>'); sys.exit(3)", "exit code 3"),
    ],
)
def test_a_report_that_does_not_judge_is_an_error(ground: Ground, program: str, reason: str) -> None:
    """Whatever the report lacks, the gate is not passed, and its reason says what."""
    write = (
        "def write(text):\n"
        "    import os; os.makedirs('out', exist_ok=True); open('out/junit.xml', 'w').write(text)\n"
    )
    result = ground.python(write + program, junit="out/junit.xml")
    assert result.status is GateStatus.ERROR and reason in result.reason, result


@pytest.mark.sandbox
def test_a_committed_report_is_not_taken_for_the_gates_own(ground: Ground) -> None:
    """An author cannot bring the passing report along."""
    (ground.folder / "out").mkdir()
    (ground.folder / "out" / "junit.xml").write_text("<testsuite><testcase/></testsuite>")
    result = ground.python("print('no test was run')", junit="./out/junit.xml")
    assert result.status is GateStatus.ERROR and "missing" in result.reason


@pytest.mark.sandbox
def test_a_test_file_that_cannot_be_read_is_a_failure(ground: Ground) -> None:
    """pytest ends with 2, its report names the file: measured, and bad."""
    (ground.folder / "test_broken.py").write_text("import no_such_module\n")
    result = ground.run(*UNIT, junit="out/junit.xml")
    assert result.status is GateStatus.FAILED and "1 of 1 tests failed" in result.reason


@pytest.mark.sandbox
def test_linters_pass_and_fail_by_exit_code(ground: Ground) -> None:
    """0 passes, 1 is a finding with its lines, 2 (wrong usage) is an error."""
    assert ground.run("ruff", "check", ".").status is GateStatus.PASSED
    (ground.folder / "bad.py").write_text("import os\n")
    found = ground.run("ruff", "check", "--no-cache", ".")
    assert found.status is GateStatus.FAILED and any("F401" in line for line in found.output)
    assert ground.run("ruff", "check", "--no-such-option").status is GateStatus.ERROR


@pytest.mark.sandbox
def test_a_gate_that_cannot_start_is_an_error(ground: Ground) -> None:
    """An unknown program and an unknown image are said so; a name is never pulled from a stranger."""
    assert "no-such-program" in ground.run("no-such-program").reason
    ground.image = "delivery/no-such-image:local"
    result = ground.run("true")
    assert result.status is GateStatus.ERROR and "not on this machine" in result.reason
    assert ground.left() == []


@pytest.mark.sandbox
def test_the_words_of_a_command_are_not_a_shells(ground: Ground) -> None:
    """An argument list stays one."""
    result = ground.run("python", "-c", "import sys; print(sys.argv[1:])", "$(id)", ";", "a b")
    assert result.output == ("['$(id)', ';', 'a b']",)


@pytest.mark.sandbox
def test_what_a_killed_worker_left_is_removed_when_its_time_is_over(ground: Ground) -> None:
    """The next gate clears away expired leftovers, and leaves those of living workers alone."""
    made = {
        when: ground.client.containers.create(ground.image, labels={LABEL: ground.name, EXPIRES: when})
        for when in ("2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00")
    }
    try:
        ground.python("pass")
        assert ground.left() == [made["2999-01-01T00:00:00+00:00"].id]
    finally:
        for container in ground.client.containers.list(all=True, filters={"label": f"{LABEL}={ground.name}"}):
            container.remove(force=True)


def test_without_docker_it_says_how_to_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is no fault of the commit: it is raised, with the next action."""
    monkeypatch.setitem(os.environ, "DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(PrerequisiteError, match="Docker engine does not answer") as caught:
        DockerGates().run(GateSpec("lint", ("true",), "gates"), tmp_path, lambda line: None)
    assert "systemctl start docker" in caught.value.hint
