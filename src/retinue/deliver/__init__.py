"""Delivery: what is in the outbox goes to people and programs, by the channel of its destination.

A channel is one module of `deliver.channels`, named as in the YAML, with one function:

    send(channel, message, outside, now) -> None, or a note about a delivery that was not whole

It raises NotDelivered. Nothing else has to know of it but its declaration in `project.destinations`.
"""

from retinue.deliver.message import Message
from retinue.deliver.outside import Outside
from retinue.deliver.pace import Pace
from retinue.deliver.passing import Delivered, deliver_due

__all__ = ["Delivered", "Message", "Outside", "Pace", "deliver_due"]
