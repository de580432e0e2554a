"""What a person has to settle before anything else, whatever the surface."""

from django.utils.translation import gettext as _

from accounts.domain.factors import lacks_factor
from accounts.models import User
from core.errors import Violation

PASSWORD = "password_change_needed"  # noqa: S105 - the name of a violation
FACTOR = "second_factor_missing"


def unfinished(user: User) -> Violation | None:
    """The first thing to settle; None where there is nothing. No query for ordinary people."""
    if user.must_change_password:
        message = _("Choose a password of your own first; the one you have was set by somebody else.")
        return Violation(PASSWORD, "", message)
    if lacks_factor(user):
        return Violation(FACTOR, "", _("Your role needs a second factor. Set one up first."))
    return None
