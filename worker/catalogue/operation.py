"""The words in which an operation of a marketplace is described."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Mark(StrEnum):
    """How sure a fact about a marketplace is."""

    DOCUMENTED = "documented"
    FIELD = "field"
    INFERRED = "inferred"
    UNKNOWN = "unknown"


class Dialect(StrEnum):
    """The API an account speaks."""

    PANDAPON = "pandapon"
    XPORT = "xport"
    ALIBABA1688 = "alibaba1688"


class EffectClass(StrEnum):
    """What a call may do. Only a safe read is ever retried."""

    SAFE_READ = "safe_read"
    EFFECT = "effect"
    """Changes something at the marketplace that can be taken back or costs nothing."""
    IRREVERSIBLE_EFFECT = "irreversible_effect"
    """Moves or commits money, or cannot be undone."""


class Area(StrEnum):
    """The part of the menu where an operation stands."""

    GOODS = "goods"
    CART = "cart"
    ORDERS = "orders"
    PAYMENT = "payment"
    LOGISTICS = "logistics"
    AFTER_SALES = "after_sales"
    BASIS = "basis"
    WAREHOUSE = "warehouse"
    MESSAGES = "messages"
    AUTHORISATION = "authorisation"


class Auth(StrEnum):
    """How a call proves who makes it."""

    HEADERS = "headers"
    """Five headers: access-key, timestamp, nonce-str, user-id, signature."""
    QUERY = "query"
    """`timestamp` and `sign` in the query string."""
    AOP = "aop"
    """`_aop_signature` among the parameters, no user token."""
    AOP_TOKEN = "aop_token"  # noqa: S105 - the name of a method, not a secret
    """`_aop_signature` and the buyer's `access_token`."""
    CLIENT_SECRET = "client_secret"  # noqa: S105 - the name of a method, not a secret
    """`client_id` and `client_secret` among the parameters, unsigned (token exchange)."""


class Form(StrEnum):
    """Where the parameters travel."""

    JSON = "json"
    QUERY = "query"
    PATH = "path"
    """In the path, as `{name}`."""
    FORM = "form"
    """`application/x-www-form-urlencoded`; objects and lists as JSON text in one field."""
    MULTIPART = "multipart"


class Kind(StrEnum):
    """What a field holds, and in which unit."""

    TEXT = "text"
    ID_TEXT = "id_text"
    """An id, as text."""
    ID_NUMBER = "id_number"
    """An id that travels as a bare JSON number, of any size; text everywhere in our code."""
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    FEN = "fen"
    """Money, whole fen, as number or text."""
    YUAN = "yuan"
    """Money, decimal yuan, as number or text."""
    TIME = "time"
    """An instant in any of the forms that `worker.marketplaces.values.instant` reads."""
    OBJECT = "object"
    LIST = "list"
    JSON_TEXT = "json_text"
    """An object or a list as JSON text inside one field."""
    BASE64 = "base64"


class Field(msgspec.Struct, frozen=True):
    """One field of a request or an answer.

    `path` is dotted, with `[]` after a list: `productItems[].price`. In an answer it starts below the envelope, at the
    data. `personal`: holds what belongs to a person (name, phone, address) and never goes into a log or a recording.
    `mark` None: as sure as the operation's answer.
    """

    path: str
    kind: Kind
    required: bool = False
    personal: bool = False
    mark: Mark | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of one dialect.

    `paths`: version (`v1`, `v2`, `ka`, `aop`) → path below the account's base URL; empty where nobody knows it: such an
    operation refuses to run until the account's configuration gives its path. `mark` is about existence and path,
    `answer_mark` about the answer's fields. `menu` is its name in the manual, `source` the page.
    """

    dialect: Dialect
    name: str
    menu: str
    area: Area
    method: str
    paths: dict[str, str] = {}
    effect: EffectClass
    mark: Mark
    auth: Auth
    form: Form
    request: tuple[Field, ...] = ()
    answer: tuple[Field, ...] = ()
    answer_mark: Mark = Mark.UNKNOWN
    source: str = ""
    note: str = ""

    def path(self, version: str) -> str | None:
        """Return the path in `version`, that of another version where this one has none, None if none is known."""
        return self.paths.get(version) or next(iter(self.paths.values()), None)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One type of message that a marketplace pushes. `tells`: which kind of fact it becomes (`none`: kept only)."""

    dialect: Dialect
    type: str
    platform: str
    tells: str
    mark: Mark
    body: tuple[Field, ...] = ()
    source: str = ""
    note: str = ""
