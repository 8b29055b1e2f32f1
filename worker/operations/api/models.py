"""What the read API says of an order, as pydantic models: they are the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from worker.domain.effects import EffectState
from worker.domain.facts import Source
from worker.domain.identity import Platform
from worker.domain.policy import Effect
from worker.domain.reducer import Outcome
from worker.domain.status import OrderStatus, RefundStatus


def words(known: type[StrEnum]) -> FieldInfo:
    """Return the field of one of our words: the known ones are listed, a newer worker may have written another."""
    field: FieldInfo = Field(json_schema_extra={"x-extensible-enum": [word.value for word in known]})
    return field


class Money(BaseModel):
    """An amount."""

    minor: Annotated[int, Field(description="Integer minor units: 1234 CNY are 12.34 yuan", examples=[1234])]
    currency: Annotated[str, Field(examples=["CNY"])]


class Amounts(BaseModel):
    """What the order costs. `total` is what has to be paid; the others are null where the marketplace is silent."""

    total: Money | None
    shipping: Money | None
    products: Money | None
    discount: Money | None
    refunded: Money | None


class OrderSummary(BaseModel):
    """An order as it is known now."""

    account: str
    platform: Annotated[str, words(Platform)]
    order_id: str
    status: Annotated[str, words(OrderStatus)]
    status_word: Annotated[str | None, Field(description="The marketplace's own word, as the latest read showed it")]
    unconfirmed: Annotated[
        bool, Field(description="Something newer than the latest read was heard; a fresh read is on its way")
    ]
    paid: Annotated[bool, Field(description="A read showed that the money was taken")]
    amounts: Amounts
    close_reason: str | None
    bookings: Annotated[list[str], Field(description="The numbers under which the goods go abroad")]
    created_at: Annotated[datetime | None, Field(description="This and the five below: the marketplace's own times")]
    paid_at: datetime | None
    shipped_at: datetime | None
    received_at: datetime | None
    completed_at: datetime | None
    modified_at: datetime | None
    asked_at: Annotated[datetime | None, Field(description="When the read that is shown was asked for")]
    sequence: Annotated[int, Field(description="Number of the order's latest change, as in orders.changes.v1")]
    first_seen_at: datetime
    updated_at: datetime


class OrderList(BaseModel):
    """One page, by `updated_at`, the oldest change first."""

    orders: list[OrderSummary]
    next_cursor: Annotated[str | None, Field(description="The next page; null on the last one")]
    resume_cursor: Annotated[
        str,
        Field(
            description="Where to go on later. Send it as `cursor` to get what changed since: an order that changed "
            "in the last moments may come twice, none is ever left out."
        ),
    ]


class Line(BaseModel):
    """One line (sub-order)."""

    line_id: str
    product_id: str | None
    sku_id: str | None
    name: str | None
    image_url: str | None
    quantity: Annotated[str | None, Field(description="A decimal number as text")]
    price: Money | None
    amount: Annotated[Money | None, Field(description="What is really paid for this line")]
    status_word: str | None
    logistics_status: int | None
    refund_id: str | None
    refund_word: str | None


class Parcel(BaseModel):
    """One parcel. Its waybill number can be replaced later, its id cannot.

    `tracked` is the word of the latest read of the order's logistics, `moved_at` the latest step in its trace.
    """

    parcel_id: str
    waybill: str | None
    carrier: str | None
    status_word: str | None
    line_ids: list[str]
    shipped_at: datetime | None
    tracked: str | None
    moved_at: datetime | None
    signed: bool


class Refund(BaseModel):
    """One refund."""

    refund_id: str
    status: Annotated[str, words(RefundStatus)]
    status_word: str | None
    amount: Money | None
    line_ids: list[str]
    confirmed: Annotated[bool, Field(description="A read of the order showed the refund as it is here")]


class Attempt(BaseModel):
    """One call to the marketplace."""

    operation: str
    amount: Money | None
    sent_at: datetime
    finished_at: Annotated[datetime | None, Field(description="null: under way, or its worker died")]
    outcome: str | None


class FollowUp(BaseModel):
    """Something that is done at the marketplace for this order. `unknown`: it may have happened; only reads follow."""

    id: str
    effect: Annotated[str, words(Effect)]
    purpose: str
    state: Annotated[str, words(EffectState)]
    reason: str | None
    amount: Money | None
    pay_url: Annotated[str | None, Field(description="Where a person has to pay")]
    wanted_after: datetime | None
    asked_at: datetime | None
    due_at: datetime
    failures: Annotated[int, Field(description="Failures in a row")]
    created_at: datetime
    updated_at: datetime
    attempts_in_all: int
    attempts: Annotated[list[Attempt], Field(description="The latest attempts, oldest of them first")]


class Record(BaseModel):
    """The Kafka record that brought a fact."""

    topic: str
    partition: int
    offset: int


class Fact(BaseModel):
    """One observation of the order, and what became of it."""

    id: str
    fact_id: Annotated[str, Field(description="Derived from the content: a redelivery is the same fact")]
    kind: str
    source: Annotated[str, words(Source)]
    provider_time: Annotated[datetime | None, Field(description="The sender's own time for it")]
    observed_at: Annotated[datetime, Field(description="When it was received or, for a read, asked for")]
    recorded_at: datetime
    outcome: Annotated[str, words(Outcome)]
    record: Record
    deliveries: Annotated[int, Field(description="How often it was delivered")]
    content: Annotated[
        dict[str, Any], Field(description="What was observed: amounts in minor units, times in ms since the epoch")
    ]


class Timeline(BaseModel):
    """A stretch of the order's facts, newest last."""

    facts: list[Fact]
    earlier: Annotated[str | None, Field(description="Send it as `timeline_before` for the facts before; null: none")]


class Order(OrderSummary):
    """An order with everything that hangs on it."""

    lines: list[Line]
    parcels: list[Parcel]
    refunds: list[Refund]
    follow_ups: list[FollowUp]
    timeline: Timeline
