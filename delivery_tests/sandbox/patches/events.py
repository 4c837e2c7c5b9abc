"""EventBridge's probes."""

import json

from delivery_tests.sandbox.patches.probing import Caller, probe


@probe("events.documented_delivery")
def documented_delivery(caller: Caller) -> None:
    """An event in a queue has all the documented fields, `account` among them."""
    events, sqs = caller.client("events"), caller.client("sqs")
    queue = sqs.create_queue(QueueName=caller.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=caller.name, EventPattern=json.dumps({"source": [caller.name]}))
    events.put_targets(Rule=caller.name, Targets=[{"Id": "queue", "Arn": arn}])
    events.put_events(Entries=[{"Source": caller.name, "DetailType": "Order", "Detail": "{}"}])
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["account"] == "123456789012"
