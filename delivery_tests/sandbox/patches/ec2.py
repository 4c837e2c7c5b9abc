"""EC2's probes."""

from delivery_tests.sandbox.patches.probing import Caller, probe


@probe("patches.ec2.rule_descriptions")
def rule_descriptions(caller: Caller) -> None:
    """A rule that names another security group shows its description."""
    ec2 = caller.client("ec2")
    vpc, _ = caller.network()
    first, second = (
        ec2.create_security_group(GroupName=f"{caller.name}-{n}", Description="probe", VpcId=vpc)["GroupId"]
        for n in range(2)
    )
    pair = {"GroupId": second, "Description": "from the balancer"}
    ec2.authorize_security_group_ingress(
        GroupId=first,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [pair]}],
    )
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [first]}])
    told = [r.get("Description") for r in rules["SecurityGroupRules"] if not r["IsEgress"]]
    assert told == ["from the balancer"]
