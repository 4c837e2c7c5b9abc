"""A service's file for tests: a good one, and changed lines of it."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
type: delivery.Service
attributes:
  owners: ["team:web"]
  repository: { github: acme/web, branch: main, paths: [services/web] }
  quality:
    gates:
      lint: { run: ruff check ., image: gates, timeout: 90s, memory: 2g }
      unit: { run: pytest --cov, coverage: out/coverage.xml, environment: { CI: "1" } }
    coverage: { minimum: 80 }
  image: { context: ., dockerfile: Dockerfile, build_args: { A: b }, scan: { fail_on: high } }
  registry: { stack: infra/stacks/registry }
  environments:
    staging:
      terraform: { stack: infra/stacks/service, vars: infra/staging.tfvars, plan_max_age: 2h }
      strategy: { blue_green: { bake: 2m } }
    production:
      terraform: { stack: infra/stacks/service }
      after: { environment: staging, soak: 10m, approvals: 1, windows: ["Mon-Thu 09:00-16:00 Europe/Berlin"] }
      strategy: { canary: { steps: [10, 50, 100], analyze_for: 5m, bake: 10m } }
      health:
        rollback_triggers:
          - { metric: TargetResponseTime, threshold: 5.0, for: 5m }
          - { metric: HTTPCode_Target_5XX_Count, threshold: 10, per: 1m, for: 1m }
          - { metric: HealthyHostCount, below: 1, for: 2m }
      probe: { path: /health, requests: 3, timeout: 500ms }
      limits: { launch_timeout: 5m, tick: 1s, error_budget: 2 }
      dns: { zone: example.com, record: www }
      notify: ["sns://topic", "{{ env.SLACK_ROUTE }}"]
      variables: { LOG_LEVEL: info }
"""


def write(defs: Path, text: str = GOOD, name: str = "web") -> Path:
    """A service's folder in `defs` with that file."""
    file = defs / name / "defs.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def changed(old: str, new: str) -> str:
    """The good file with one piece replaced; it must be there exactly once."""
    assert GOOD.count(old) == 1, f"{old!r} is {GOOD.count(old)} times in the file"
    return GOOD.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The line (from 1) with that text."""
    return 1 + next(n for n, line in enumerate(text.splitlines()) if part in line)
