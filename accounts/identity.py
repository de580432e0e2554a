"""People who come through an identity provider (OpenID Connect).

The rules, and why:

* **Who gets an account.** At the first log-in, whoever the provider knows, unless ``MYP_OIDC_SIGNUP`` is off.
* **Role.** Taken from the claim ``MYP_OIDC_ROLE_CLAIM`` at *every* log-in: who left the group loses the role. Whoever is
  in none of the named groups is a trainee. Without any named group the provider has no say: new people are trainees,
  roles are given here. A superuser's role is never touched.
* **Existing accounts.** An address counts only when the provider says ``email_verified: true`` (the JSON value; the
  text "false" is true in Python). With it, a trainee's account of that address is handed over: from then on it opens
  through the provider, and its password, sessions and tokens are worthless, since nobody has proved here whose address
  it is, and whoever prepared an account with somebody else's address would share it. Everybody with more rights, or with
  a second factor, logs in with the password and connects the account on the page ``/accounts/3rdparty/``. An unconfirmed
  address is not taken over at all: not to find an account, and not into a new one.
* **Switched off here is switched off**, whatever the provider says.
* **Second factor.** Our rule holds for everybody alike, also for who comes through the provider: an ``amr`` claim is
  optional, spelled differently by each provider, and tells nothing about the device in front of us.
* **Only https.** The token is believed because it came straight from the provider over TLS (OpenID Connect Core,
  3.1.3.7); plain http is possible on this machine alone.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.emailkit import valid_email_or_none
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.domain import identities
from accounts.models import User
from core import clock

logger = logging.getLogger(__name__)
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Provider(OpenIDConnectProvider):
    """A provider whose people are sent there by a page of ours.

    Browsers hold the content policy's ``form-action`` against every redirect that follows a form. A provider may send
    people on to others, whom nobody can list; after a page of ours there is no form any more.
    """

    def redirect(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """The page in between."""
        answer: HttpResponse = super().redirect(request, *args, **options)
        if answer.status_code != HTTPStatus.FOUND:
            return answer
        where = {"provider": self, "where": answer["Location"]}
        return render(request, "socialaccount/leaving.html", where)


class WorkshopAdapter(DefaultSocialAccountAdapter):
    """The rules above, at the library's joints."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        """Ours, in place of the library's."""
        found = super().get_provider(request, provider, client_id)
        return Provider(request, app=found.app) if isinstance(found, OpenIDConnectProvider) else found

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Through the provider, where the settings say so."""
        return bool(settings.OIDC_SIGNUP)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The provider has vouched for a person: find whose account that is, and settle the role."""
        said = dict(sociallogin.account.extra_data)
        claims = _claims(said)
        _keep_little(sociallogin, claims)
        if sociallogin.state.get("process") == "connect":
            return
        if not sociallogin.is_existing:
            self._find_account(request, sociallogin, claims, _confirmed_email(said))
        role = sociallogin.state["role"] = _role(claims)
        if sociallogin.is_existing and _decides_roles():
            person = cast("User", sociallogin.user)
            identities.settle_role(person.pk, role, now=clock.now())
            person.refresh_from_db()

    def _find_account(
        self, request: HttpRequest, sociallogin: SocialLogin, claims: dict[str, Any], email: str
    ) -> None:
        """An account here that has the confirmed address becomes theirs, or they are told what to do."""
        holders = identities.holders_of(email) if email else []
        if not holders:
            _prepare_new(sociallogin, email, claims)
            return
        if len(holders) > 1:
            _answer(request, "socialaccount/not_connected.html", 403)
        if not holders[0].is_active:
            raise ImmediateHttpResponse(redirect("account_inactive"))
        with _together(request):
            person = identities.hand_over(holders[0].pk, sociallogin.account.provider, now=clock.now())
            if person is not None:
                sociallogin.connect(request, person)
        if person is None:
            _answer(request, "socialaccount/not_connected.html", 403)

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """A new person with their first role."""
        with _together(request):
            person: User = super().save_user(request, sociallogin, form)
            identities.note_arrival(person, sociallogin.state["role"], now=clock.now())
        return person

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        """The person reads that it failed; whoever runs the server reads why."""
        logger.warning("Log-in through the identity provider failed: %s %r", error, exception)

    def get_requests_session(self) -> Any:
        """Calls to the provider: over https, and a provider that is down is a page that says so."""
        session = super().get_requests_session()  # type: ignore[no-untyped-call]
        session.request = _answering(session.request)
        return session


@contextmanager
def _together(request: HttpRequest) -> Iterator[None]:
    """All or nothing. Two log-ins of one person at the same instant make one account; the second is asked to try again."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        messages.error(request, _("That did not work. Please try again."))
        raise ImmediateHttpResponse(redirect("account_login")) from error


def _answering(ask: Callable[..., Any]) -> Callable[..., Any]:
    """The call, so that what is wrong with the provider becomes an answer instead of a fault of ours."""

    def call(method: str, url: str, **options: Any) -> Any:
        where = urlsplit(url)
        if where.scheme != "https" and where.hostname not in THIS_MACHINE:
            raise ImproperlyConfigured(
                f"The identity provider must be asked over https, not at {where.geturl()}."
            )
        try:
            answer = ask(method, url, **options)
            if method.upper() == "GET":
                answer.raise_for_status()
                answer.json()
            elif answer.status_code >= 500:
                answer.raise_for_status()
        except OSError as error:  # every error of "requests" is one
            logger.warning(
                "The identity provider does not answer at %s: %s", where.netloc, type(error).__name__
            )
            _answer(context.request, "socialaccount/unavailable.html", 503)
        return answer

    return call


def _answer(request: HttpRequest, template: str, status: int) -> NoReturn:
    raise ImmediateHttpResponse(render(request, template, status=status))


def _claims(data: dict[str, Any]) -> dict[str, Any]:
    """What the provider says; some say it in the token alone, some only when asked. The asked answer wins."""
    token, asked = data.get("id_token") or {}, data.get("userinfo") or {}
    if token and asked and token.get("sub") != asked.get("sub"):
        raise PermissionDenied("The provider answered for somebody else (OpenID Connect Core, 5.3.2).")
    return {**token, **asked}


def _confirmed_email(data: dict[str, Any]) -> str:
    """The address, if the same document says that it is the person's own; else nothing."""
    asked = data.get("userinfo") or {}
    said = asked if "email" in asked else data.get("id_token") or {}
    if said.get("email_verified") is not True:
        return ""
    return (valid_email_or_none(said.get("email")) or "").lower()


def _keep_little(sociallogin: SocialLogin, claims: dict[str, Any]) -> None:
    """Of all that the provider tells, only a name to recognise the identity by is kept."""
    account = sociallogin.account
    account.extra_data = {
        "userinfo": {"username": claims.get("preferred_username") or claims.get("email") or ""}
    }
    if account.pk:
        account.save(update_fields=["extra_data"])


def _prepare_new(sociallogin: SocialLogin, email: str, claims: dict[str, Any]) -> None:
    """What of the claims goes into a new account: a free user name, the names, and the address if it is confirmed."""
    person = cast("User", sociallogin.user)
    person.first_name, person.last_name = person.first_name[:150], person.last_name[:150]
    person.email = email
    sociallogin.email_addresses = [EmailAddress(email=email, verified=True, primary=True)] if email else []
    wishes = [claims.get("preferred_username"), claims.get("email"), person.first_name, "person"]
    person.username = get_account_adapter().generate_unique_username(wishes)


def _decides_roles() -> bool:
    return bool(settings.OIDC_TRAINERS or settings.OIDC_ADMINISTRATORS)


def _role(claims: dict[str, Any]) -> Any:
    return identities.role_from(_groups(claims), settings.OIDC_TRAINERS, settings.OIDC_ADMINISTRATORS)


def _groups(claims: dict[str, Any]) -> set[str]:
    """The values of the role claim: a list, or words in a text. Its name may be a path (``realm_access.roles``)."""
    name = settings.OIDC_ROLE_CLAIM
    value: Any = claims
    for part in [name] if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, str):
        return set(value.split())
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()
