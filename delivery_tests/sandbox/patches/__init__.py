"""Every patch to moto has a probe: what a plain boto3 client sees with the patch, and not without it.

moto's version is exact in setup.py. When it is raised, these tests tell which patches still fit and which
moto has made unnecessary.

How to add one: in the module of the service here (`ecs.py`, `ecr.py`, …; a new file is found by itself) write

    @probe("patches.ec2.rule_descriptions")
    def rule_descriptions(caller: Caller) -> None:
        \"\"\"A rule that names another security group shows its description.\"\"\"
        ec2 = caller.client("ec2")
        …
        assert rule["Description"] == "from the balancer"

The name is the patch function's, without `delivery.sandbox.`. `caller.name` is a name nobody else has.
Two tests are made of it (`test_patches.py`):

* it holds on the sandbox;
* it fails on bare moto, a `moto.server` of its own process. An AssertionError, a ClientError or a missing
  key is such a failure; anything else (no connection, a typing error in the probe) is an error of the probe.

A patch whose behaviour bare moto cannot even be asked for says so in one line, and has the first test only:
`@probe("patches.…", not_bare="…")`.

What needs a probe: every public function of `delivery/sandbox/patches/`, and every function anywhere in
`delivery/sandbox/` that puts something into a class or module of moto. A function that only calls such
functions of its own module (`install`) needs none. Each has a docstring with its reason.
"""
