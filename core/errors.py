"""An expected no, with every reason at once. Plain Python: pure rules use it too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule.

    ``code`` is a noun and stable, ``field`` names the input it belongs to ("" for the whole), ``message``
    is translated when shown, ``overridable`` tells whether a trainer may waive it with a reason.
    """

    code: str
    field: str
    message: "str | Promise"
    overridable: bool = False


class Refused(Exception):  # noqa: N818 - a verdict, not a fault
    """The answer is no, for the reasons given: a form error, a 409, a red light."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(", ".join(v.code for v in self.violations))

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all violations, in the order they were found."""
        return tuple(v.code for v in self.violations)

    @classmethod
    def because(cls, code: str, message: "str | Promise", *, field: str = "") -> "Refused":
        """A refusal with a single reason that nobody may waive."""
        return cls([Violation(code=code, field=field, message=message)])
