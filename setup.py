"""Package metadata: what `delivery` needs to run, to be developed, and to run its sandbox."""

from setuptools import find_packages, setup

SANDBOX = [
    "moto[server]==5.2.5",  # exact: it is patched function by function, and each patch is probed
    "dnslib>=0.9.25,<1",
    "uvicorn>=0.30,<1",
    "starlette>=0.40,<2",
]
DEV = [
    "pytest>=8,<10",
    "pytest-xdist>=3.6,<4",
    "hypothesis>=6.100,<7",
    "greenlet>=3,<4",  # several workers on one virtual clock in the property tests
    "ruff>=0.6,<1",
    "mypy>=1.11,<3",
    "boto3-stubs>=1.40,<2",
    "types-docker>=7,<8",
    "types-PyYAML>=6,<7",
    "types-requests>=2.32,<3",
    "dagster-graphql>=1.13.27,<1.14",
]

BENCH = [
    "dagster-async-executor>=0.0.4,<0.1",  # measured against the executor that is used
]

setup(
    name="delivery",
    version="0.1.0",
    description="Progressive delivery for Amazon ECS as a Dagster asset graph",
    python_requires=">=3.11",
    packages=find_packages(include=["delivery", "delivery.*"]),
    package_data={"delivery": ["defs/*/defs.yaml"]},
    install_requires=[
        "dagster>=1.13.27,<1.14",
        "dagster-aws>=0.29.27,<0.30",
        "dagster-docker>=0.29.27,<0.30",
        "dagster-webserver>=1.13.27,<1.14",
        "boto3>=1.40,<2",
        "click>=8.1,<9",
        "rich>=13.7,<16",
        "pydantic>=2.8,<3",
        "PyYAML>=6,<7",
        "PyGithub>=2.8,<3",
        "docker>=7.1,<8",
        "apprise>=1.9,<3",
        "requests>=2.32,<3",
        "scipy>=1.11,<2",
    ],
    extras_require={"sandbox": SANDBOX, "dev": DEV, "bench": BENCH},
    entry_points={"console_scripts": ["delivery = delivery.cli.main:main"]},
)
