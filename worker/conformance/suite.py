"""The run: every operation with a right and with a wrong signature, and a path that is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from worker.catalogue.operation import EffectClass, Mark, Operation
from worker.catalogue.tables import operations_of
from worker.conformance import envelopes, shapes, units
from worker.conformance.fills import Asker
from worker.conformance.findings import FieldState, Finding, Report, State
from worker.conformance.knowledge import Knowledge
from worker.conformance.questions import ask_about, others_to_ask
from worker.domain.clock import Clock, to_datetime
from worker.marketplaces.caller import Routes, Wire, filled_path
from worker.marketplaces.http import HttpCore
from worker.marketplaces.port import (
    MarketplaceError,
    NotSentError,
    RejectedError,
    RetryableError,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)

MAX_ROUNDS = 8
"""Each round asks what the one before it made askable; more of them would go in a circle."""
THROTTLED_TRIES = 4
NOT_THERE = "-is-not-there"
_FINE = range(200, 300)
_LISTS = frozenset({"1688.order.list", "taobao.order.list", "1688.cart.list", "taobao.cart.list"})
"""What an effect may have changed, and the next question is asked about."""
_ORDER_OF_EFFECTS = ("add", "save", "update", "create", "prepare", "pay", "confirm", "submit")


class Access(Protocol):
    """The account that asks."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def base_url(self) -> str: ...  # noqa: D102
    @property
    def user_id(self) -> str: ...  # noqa: D102
    @property
    def access_token(self) -> str: ...  # noqa: D102
    @property
    def refresh_token(self) -> str: ...  # noqa: D102


class Plan(msgspec.Struct, frozen=True):
    """What may be asked. `pause_s` between calls; `hints`: values to ask with, by field name.

    `invent`: what is still lacking at the end is invented.
    """

    effects: bool = False
    invent: bool = False
    pause_s: float = 0.0
    throttle_pause_s: float = 10.0
    hints: Mapping[str, str] = {}


class Heard(msgspec.Struct, frozen=True):
    """What came back: HTTP status and JSON if there was any, and the data or the error that they mean."""

    status: int | None = None
    answer: Any = None
    data: Any = None
    error: MarketplaceError | None = None


class Suite:
    """One run against one account."""

    def __init__(
        self,
        access: Access,
        routes: Routes,
        http: HttpCore,
        wire: Wire,
        wrong: Wire,
        *,
        plan: Plan,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """`wrong`: signs with another secret."""
        self._access = access
        self._routes = routes
        self._http = http
        self._wire = wire
        self._wrong = wrong
        self._plan = plan
        self._clock = clock
        self._sleep = sleep
        self._knowledge = Knowledge(routes.dialect)
        self._late = False

    async def run(self) -> Report:
        """Ask everything that can be asked; what lacks a value is asked again once another answer gave it."""
        operations = operations_of(self._routes.dialect)
        findings = {one.name: self._not_asked(one) for one in operations}
        await self._rounds(operations, findings)
        self._late = True
        await self._rounds(operations, findings)
        report = Report(
            account=self._access.name,
            dialect=self._routes.dialect.value,
            base_url=self._access.base_url,
            effects=self._plan.effects,
            asked_at=f"{to_datetime(self._clock.now_ms()):%Y-%m-%d %H:%M} UTC",
            findings=[findings[one.name] for one in operations],
        )
        await self._unknown_path(report, operations)
        return report

    async def _rounds(self, operations: Sequence[Operation], findings: dict[str, Finding]) -> None:
        for _ in range(MAX_ROUNDS):
            asked = False
            for operation in sorted(operations, key=_rank):
                if findings[operation.name].state is not State.NOT_ASKED:
                    continue
                finding = findings[operation.name] = await self._finding(operation)
                if finding.state is not State.NOT_ASKED:
                    asked = True
                    if finding.effect:
                        await self._look_again()
            if not asked:
                return

    async def _finding(self, operation: Operation) -> Finding:
        finding = self._not_asked(operation)
        question = ask_about(operation, self._asker())
        if finding.path is None:
            finding.reason = "nobody knows its path"
        elif operation.effect is not EffectClass.SAFE_READ and not self._plan.effects:
            finding.reason = "has an effect"
        elif question.missing:
            finding.reason = f"nothing is known to ask with: {', '.join(question.missing)}"
        else:
            path = filled_path(operation, finding.path, question.parameters)
            if operation.effect is EffectClass.SAFE_READ or self._plan.effects:
                await self._ask_wrongly(finding, operation, path, question.parameters)
            await self._ask(finding, operation, path, question.parameters)
            for other in others_to_ask(operation, self._asker(), question) if finding.reached else ():
                await self._ask_more(finding, operation, path, other.parameters)
            for (group, order_id), order in self._knowledge.orders.items() if finding.effect else ():
                if order_id == question.order_id and (group == "taobao") == operation.name.startswith("taobao"):
                    order.touched = True
        return finding

    async def _ask(self, finding: Finding, operation: Operation, path: str, question: Mapping[str, Any]) -> None:
        """Ask rightly and write down what came."""
        heard = await self._exchange(self._wire, operation, path, question)
        envelope = envelopes.look(self._routes.dialect, heard.status, heard.answer)
        finding.envelope = envelope.name if heard.status is not None else None
        match heard.error:
            case None:
                finding.reached = finding.signature_accepted = True
                finding.contradictions += envelope.contradictions
                self._compare(finding, operation, heard.data)
                self._knowledge.learn(operation.name, question, heard.data)
            case UnauthorisedError() as error:
                finding.reached, finding.signature_accepted = True, False
                finding.state, finding.reason = State.REFUSED, str(error)
            case RejectedError() | UnreadableError() as error if envelopes.is_not_there(heard.status, str(error)):
                finding.reached, finding.state, finding.reason = False, State.NOT_THERE, str(error)
                if finding.mark is Mark.DOCUMENTED:
                    finding.contradictions.append("its path is documented, and nothing answers there")
            case RejectedError() as error:
                finding.reached = finding.signature_accepted = True
                finding.state, finding.reason = State.REFUSED, str(error)
                finding.contradictions += envelope.contradictions
            case UnreadableError() as error if heard.status in _FINE and not isinstance(heard.answer, dict | None):
                finding.reached = finding.signature_accepted = True
                finding.state, finding.reason = State.PARTLY, f"the answer is {shapes.described(heard.answer)}"
            case error:
                finding.state, finding.reason = State.UNREACHABLE, f"{type(error).__name__}: {error}"
        if finding.contradictions:
            finding.state = State.CONTRADICTED

    async def _ask_more(self, finding: Finding, operation: Operation, path: str, question: Mapping[str, Any]) -> None:
        """Ask about another order: what the first answer did not have, this one may."""
        heard = await self._exchange(self._wire, operation, path, question)
        if heard.error is None:
            first = finding.fields
            self._compare(finding, operation, heard.data)
            finding.fields = shapes.merged(first, finding.fields)
            finding.state = _state_of(finding)
            self._knowledge.learn(operation.name, question, heard.data)

    def _compare(self, finding: Finding, operation: Operation, data: Any) -> None:
        finding.fields = shapes.compare(operation.answer, data, operation.answer_mark)
        finding.others = shapes.others(operation.answer, data)
        finding.contradictions += units.contradictions(operation.name, data)
        known = set(finding.contradictions)
        for field in finding.fields:
            if field.mark is Mark.DOCUMENTED and field.state in (FieldState.OTHER_KIND, FieldState.OTHER_UNIT):
                text = f"{field.path} is {field.note}, documented as {field.kind}"
                finding.contradictions += [text] if text not in known else []
        documented = [field for field in finding.fields if field.mark is Mark.DOCUMENTED]
        if documented and data not in (None, [], {}) and all(field.state is FieldState.MISSING for field in documented):
            finding.contradictions.append("none of the documented fields is in the answer")
        finding.state = _state_of(finding)

    async def _ask_wrongly(
        self, finding: Finding, operation: Operation, path: str, question: Mapping[str, Any]
    ) -> None:
        """Sign with another secret; what is not refused was never checked."""
        heard = await self._exchange(self._wrong, operation, path, question, renew=False)
        if isinstance(heard.error, UnauthorisedError):
            finding.wrong_signature_refused = True
        elif heard.error is None:  # any other refusal says nothing about signatures
            finding.wrong_signature_refused = False
            finding.contradictions.append("a wrong signature was accepted")

    async def _exchange(
        self, wire: Wire, operation: Operation, path: str, question: Mapping[str, Any], *, renew: bool = True
    ) -> Heard:
        """Ask once; again after a throttle, and once more with a renewed token."""
        heard = Heard()
        for attempt in range(THROTTLED_TRIES):
            await self._sleep(self._plan.pause_s)
            heard = await self._once(wire, operation, path, question)
            if isinstance(heard.error, ThrottledError):
                await self._sleep(self._plan.throttle_pause_s * 2**attempt)
            elif isinstance(heard.error, UnauthorisedError) and renew and await wire.renew():
                renew = False
            else:
                break
        return heard

    async def _once(self, wire: Wire, operation: Operation, path: str, question: Mapping[str, Any]) -> Heard:
        request = wire.request(operation, path, question)
        effect = operation.effect is not EffectClass.SAFE_READ
        try:
            status, answer = await self._http.exchange(request, effect=effect, operation=operation)
        except MarketplaceError as error:
            return Heard(error=error)
        try:
            return Heard(status, answer, wire.open(operation, status, answer))
        except MarketplaceError as error:
            return Heard(status, answer, error=error)

    async def _look_again(self) -> None:
        """After an effect: what the order list says now is what the next question is asked about."""
        for listing in operations_of(self._routes.dialect):
            path = self._routes.path(listing)
            if listing.name not in _LISTS or path is None:
                continue
            question = ask_about(listing, self._asker()).parameters
            heard = await self._exchange(self._wire, listing, path, question)
            if heard.error is None:  # if not, the listing's own finding has said so
                self._knowledge.learn(listing.name, question, heard.data)

    async def _unknown_path(self, report: Report, operations: Sequence[Operation]) -> None:
        known = next(
            (one for one in operations if self._routes.path(one) and one.effect is EffectClass.SAFE_READ), None
        )
        if known is None:
            return
        path = f"{self._routes.path(known)}{NOT_THERE}"
        heard = await self._exchange(self._wire, known, path, ask_about(known, self._asker()).parameters)
        match heard.error:
            case None:
                report.unknown_path_refused = False
                report.contradictions.append(
                    f"{path} answers like an operation: that a path answers proves nothing here"
                )
            case NotSentError() | RetryableError() | ThrottledError():
                return
            case error:
                report.unknown_path_refused, report.unknown_path_answer = True, str(error)

    def _asker(self) -> Asker:
        return Asker(
            knowledge=self._knowledge,
            now=self._clock.now_ms(),
            user_id=self._access.user_id,
            access_token=self._access.access_token,
            refresh_token=self._access.refresh_token,
            hints=self._plan.hints,
            late=self._late,
            invent=self._late and self._plan.invent,
        )

    def _not_asked(self, operation: Operation) -> Finding:
        return Finding(
            operation=operation.name,
            mark=operation.mark,
            path=self._routes.path(operation),
            effect=operation.effect is not EffectClass.SAFE_READ,
            state=State.NOT_ASKED,
        )


def _state_of(finding: Finding) -> State:
    if finding.contradictions:
        return State.CONTRADICTED
    full = finding.fields and all(field.state is FieldState.FOUND for field in finding.fields)
    return State.CONFIRMED if full else State.PARTLY


def _rank(operation: Operation) -> tuple[int, int]:
    """Reads before effects, and among these what makes something before what uses it up."""
    if operation.effect is EffectClass.SAFE_READ:
        return 0, 0
    last = operation.name.rpartition(".")[2]
    place = next((number for number, word in enumerate(_ORDER_OF_EFFECTS) if last.startswith(word)), 99)
    return 1, place
