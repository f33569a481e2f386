"""moto's server, with SQS as AWS documents it where moto 5.2.5 does otherwise.

- moto serves each request in a thread, and its data are not made for that: a message that is published while another is deleted is
  lost, and two that receive at once get the same one. Here one request is worked on at a time.
- A FIFO group is locked while any of its messages is in flight. moto unlocks it while some of several are.
- Only the newest receipt settles a message, and only while it is in flight. moto takes any that there ever was.
- A de-duplication id is remembered for five minutes, also when its message is gone.
- It works out all attributes of a queue for each message that is sent or received, which takes longer the more there are. Here what it
  needs is read.
- SNS drops a message with more than ten attributes on its way to a queue with raw delivery, and says nothing. moto delivers it.
"""

import threading
import time

import moto.sqs.models
from moto.core.responses import BaseResponse
from moto.server import main
from moto.sns.models import Subscription
from moto.sqs.exceptions import InvalidParameterValue
from moto.sqs.models import Queue, SQSBackend

# Nothing tells of a message whose time with a reader is over.
LOOK_S = 0.1
DEDUPLICATION_S = 300
MOST_ATTRIBUTES = 10

changed = threading.Condition(threading.RLock())
act, receive, change, delete, add, deliver = (
    BaseResponse.call_action,
    SQSBackend.receive_message,
    SQSBackend.change_message_visibility,
    Queue.delete_message,
    Queue.add_message,
    Subscription.publish,
)


def call_action(self):
    with changed:
        return act(self)


def receive_message(self, queue_name, count, wait_seconds_timeout, visibility_timeout, message_attribute_names=None):
    end = time.monotonic() + wait_seconds_timeout
    while True:
        queue = self.get_queue(queue_name)
        for message in [one for one in queue.pending_messages if one.visible]:
            queue.pending_messages.discard(message)
        result = receive(self, queue_name, count, 0, visibility_timeout, message_attribute_names)
        left = end - time.monotonic()
        if result or left <= 0:
            return result
        # Meanwhile others work. Something may happen in any queue: a look that finds nothing costs little.
        changed.wait(min(LOOK_S, left))


def in_flight(queue, receipt_handle):
    """The message, if this is its newest receipt."""
    for message in queue._messages:
        if message.receipt_handle == receipt_handle:
            return message if not message.visible else None
    return None


def change_message_visibility(self, queue_name, receipt_handle, visibility_timeout):
    if in_flight(self.get_queue(queue_name), receipt_handle) is None:
        raise InvalidParameterValue("Message does not exist or is not available for visibility timeout change.")
    change(self, queue_name, receipt_handle, visibility_timeout)


def change_message_visibility_batch(self, queue_name, entries):
    done, failed = [], []
    for entry in entries:
        try:
            self.change_message_visibility(queue_name, entry["ReceiptHandle"], int(entry["VisibilityTimeout"]))
            done.append(entry["Id"])
        except InvalidParameterValue as error:
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "InvalidParameterValue", "Message": error.message})
    return done, failed


def delete_message(self, receipt_handle):
    stale = any(receipt_handle in one._old_receipt_handles for one in self._messages)
    # AWS: the request succeeds, but the message might not be deleted.
    if not stale:
        delete(self, receipt_handle)


def add_message(self, message):
    if self.fifo_queue and message.deduplication_id:
        now = time.monotonic()
        seen = self.__dict__.setdefault("seen_deduplication_ids", {})
        if message.deduplication_id in seen and now - seen[message.deduplication_id] < DEDUPLICATION_S:
            return
        seen[message.deduplication_id] = now
    add(self, message)
    changed.notify_all()


def is_retained(self, queue_name, message):
    return self.get_queue(queue_name).message_retention_period + message.sent_timestamp / 1000 > time.time()


def publish(self, message, message_id, subject=None, message_attributes=None, **more):
    raw = self.attributes.get("RawMessageDelivery") == "true"
    if self.protocol == "sqs" and raw and len(message_attributes or {}) > MOST_ATTRIBUTES:
        return
    deliver(self, message, message_id, subject, message_attributes, **more)


BaseResponse.call_action = call_action
SQSBackend.receive_message = receive_message
SQSBackend.change_message_visibility = change_message_visibility
SQSBackend.change_message_visibility_batch = change_message_visibility_batch
SQSBackend.is_message_valid_based_on_retention_period = is_retained
moto.sqs.models.unix_time = time.time
moto.sqs.models.unix_time_millis = lambda: time.time() * 1000
Queue.delete_message = delete_message
Queue.add_message = add_message
Subscription.publish = publish

main()
