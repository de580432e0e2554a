"""Pages of libraries that we show in our own way, or not at all."""

from allauth.account import admin as _account  # noqa: F401 - each registers its pages, so that they can be taken off
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _mfa  # noqa: F401
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as _social  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions import admin as _sessions  # noqa: F401
from allauth.usersessions.models import UserSession
from axes import admin as _axes  # noqa: F401
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth import admin as _auth  # noqa: F401
from django.contrib.auth.models import Group

for _model in (
    Group,
    EmailAddress,
    Authenticator,
    SocialAccount,
    SocialApp,
    SocialToken,
    UserSession,
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
