"""Writes down an operation in one call: what most of a dialect's operations have in common is said once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partialmethod

from worker.catalogue.fields import ANSWERS, REQUESTS
from worker.catalogue.operation import Area, Auth, Dialect, EffectClass, Form, Mark, Operation

_WITH_FILES = frozenset(
    {
        (Dialect.ALIBABA1688, "1688.refund.upload_voucher"),
        (Dialect.ALIBABA1688, "1688.goods.image_search_direct"),
    }
)


class Shorthand:
    """Makes the operations of one dialect. Keywords `v1`, `v2`, `ka` and `aop` are paths by version."""

    def __init__(self, dialect: Dialect, *, auth: Auth = Auth.HEADERS, form: Form | None = None) -> None:
        self._dialect = dialect
        self._auth = auth
        self._form = form

    def _operation(
        self,
        effect: EffectClass,
        name: str,
        menu: str,
        area: Area,
        *,
        method: str = "POST",
        mark: Mark | None = None,
        auth: Auth | None = None,
        source: str = "menu",
        **paths: str,
    ) -> Operation:
        """Return the operation. Without a path it is unknown, with one documented, unless `mark` says otherwise."""
        answer, answer_mark = ANSWERS.get((self._dialect, name), ((), Mark.UNKNOWN))
        return Operation(
            dialect=self._dialect,
            name=name,
            menu=menu,
            area=area,
            method=method,
            paths=_known(paths),
            effect=effect,
            mark=mark or (Mark.DOCUMENTED if paths else Mark.UNKNOWN),
            auth=auth or self._auth,
            form=self._form_of(name, method, paths),
            request=REQUESTS.get((self._dialect, name), ()),
            answer=answer,
            answer_mark=answer_mark,
            source=source,
        )

    def _form_of(self, name: str, method: str, paths: Mapping[str, str]) -> Form:
        if any("{" in path for path in paths.values()):
            return Form.PATH
        if (self._dialect, name) in _WITH_FILES:
            return Form.MULTIPART
        return self._form or (Form.QUERY if method == "GET" else Form.JSON)

    read = partialmethod(_operation, EffectClass.SAFE_READ)
    effect = partialmethod(_operation, EffectClass.EFFECT)
    irreversible = partialmethod(_operation, EffectClass.IRREVERSIBLE_EFFECT)


def _known(paths: Mapping[str, str]) -> dict[str, str]:
    strange = paths.keys() - {"v1", "v2", "ka", "aop"}
    if strange:
        raise TypeError(f"no versions of paths: {', '.join(sorted(strange))}")
    return dict(paths)
