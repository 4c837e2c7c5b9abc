"""Where a sandbox listens and keeps its state, and the error of this room."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

#: Labels of its containers and its network: the sandbox's name, and its state folder.
LABEL = "delivery.sandbox"
STATE_LABEL = "delivery.sandbox.state"


def which(program: str) -> str | None:
    """Where a program is. Debian keeps daemons in sbin, which is not on everybody's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


class SandboxError(Exception):
    """What happened, why, and what to do next. The command line prints it like any other error."""

    def __init__(self, what: str, why: str, hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what, self.why, self.hint = what, why, hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.hint}".rstrip()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients find this sandbox."""

    aws: str
    github: str
    registry: str
    dns: str
    region: str

    def environment(self) -> dict[str, str]:
        """The environment that makes boto3, Terraform, PyGithub and git speak to this sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "GITHUB_API_URL": self.github,
            "GITHUB_TOKEN": "sandbox-token",
            "DELIVERY_GIT_URL": self.github,
        }


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """One sandbox. Another name, other ports and another prefix run beside it.

    address_prefix     the first three bytes of the loopback addresses its load balancers get
    time_scale         AWS seconds that pass in one real second; every period and delay shrinks alike
    metric_resolution  seconds of a datapoint of AWS/ApplicationELB and AWS/ECS; AWS's is 60
    metric_delay       AWS seconds after a datapoint's end until it is published
    propagation        AWS seconds until a changed listener rule is seen in traffic
    dns_delay          AWS seconds a record change is PENDING before it is INSYNC and answered
    enforce_iam        whether the callers' IAM policies decide
    parent_pid         a process with whose end the sandbox ends, e.g. the tests'; 0: it ends when told to
    """

    state_dir: Path
    name: str = "local"
    aws_port: int = 4566
    github_port: int = 4580
    registry_port: int = 4500
    dns_port: int = 4553
    address_prefix: str = "127.0.1"
    account: str = "123456789012"
    region: str = "us-east-1"
    time_scale: float = 1.0
    metric_resolution: int = 1
    metric_delay: float = 0.0
    propagation: float = 0.0
    dns_delay: float = 0.0
    enforce_iam: bool = False
    parent_pid: int = 0

    @property
    def endpoints(self) -> Endpoints:
        """Where clients find it."""
        return Endpoints(
            aws=f"http://127.0.0.1:{self.aws_port}",
            github=f"http://127.0.0.1:{self.github_port}",
            registry=f"127.0.0.1:{self.registry_port}",
            dns=f"127.0.0.1:{self.dns_port}",
            region=self.region,
        )

    @property
    def ports(self) -> dict[str, int]:
        """Its TCP ports by what listens there."""
        return {"AWS": self.aws_port, "GitHub": self.github_port, "registry": self.registry_port}

    @property
    def network(self) -> str:
        """The Docker network its tasks run in."""
        return f"delivery-{self.name}"

    @property
    def repositories(self) -> Path:
        """The bare repositories behind its GitHub."""
        return self.state_dir / "repositories"

    @property
    def labels(self) -> dict[str, str]:
        """What marks its containers and its network."""
        return {LABEL: self.name, STATE_LABEL: str(self.state_dir)}

    def save(self) -> Path:
        """Write it into its state folder, for the process that runs it and for `down`."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        path = self.state_dir / "config.json"
        path.write_text(json.dumps({**asdict(self), "state_dir": str(self.state_dir)}, indent=2))
        return path

    @classmethod
    def read(cls, path: Path) -> SandboxConfig:
        """Read what `save` wrote."""
        values = json.loads(path.read_text())
        return cls(**{**values, "state_dir": Path(values["state_dir"])})
