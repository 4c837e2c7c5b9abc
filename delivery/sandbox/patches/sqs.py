"""SQS: a poll that waits must let others work."""

from __future__ import annotations

import threading

from moto.sqs.models import Message, Queue

from delivery.sandbox.clock import CLOCK

#: AWS seconds between two looks of a waiting poll: a message may become visible without anybody sending it.
LOOK_AGAIN = 1.0


def long_polling(state: threading.RLock) -> None:
    """A ReceiveMessage that waits gives the server's lock back meanwhile; moto would hold it for up to 20 s.

    `state` is the lock round every request. A message that arrives ends the wait at once.
    Source: Amazon SQS developer guide, "Amazon SQS short and long polling".
    """
    arrival = threading.Condition(state)
    add = Queue.add_message

    def wait_for_messages(self: Queue, timeout: int) -> None:
        with arrival:
            arrival.wait(max(0.01, CLOCK.real(min(timeout, LOOK_AGAIN))))

    def add_message(self: Queue, message: Message) -> None:
        add(self, message)
        with arrival:
            arrival.notify_all()

    Queue.wait_for_messages = wait_for_messages  # type: ignore[method-assign]
    Queue.add_message = add_message  # type: ignore[method-assign]
