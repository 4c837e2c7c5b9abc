"""ECR on top of a real registry: what `docker push` brought is what the API tells, and the other way round.

`images` is what a repository holds, `guard` the registry's front (login, immutable tags), `api` the calls,
`scans` what scans find. The registry itself keeps the layers; which image and tag there is, is ECR's state.
moto's ECR knows no registry: its URI points at AWS, nothing can be pushed, and every scan finds one HIGH.
"""

from delivery.sandbox.ecr.api import install
from delivery.sandbox.ecr.front import Registry
from delivery.sandbox.ecr.scans import seed_findings

__all__ = ["Registry", "install", "seed_findings"]
