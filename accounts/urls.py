"""Pages about oneself, and what stands in front of pages of libraries: this list comes before theirs."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from accounts.views import me, passwords, sessions, tokens

urlpatterns = [
    path("me", me.me, name="me"),
    path("me/tokens", tokens.tokens, name="tokens"),
    path("me/tokens/<int:pk>/delete", tokens.token_delete, name="token_delete"),
    path("me/sessions", sessions.sessions, name="sessions"),
    path("me/sessions/end", sessions.sessions_end, name="sessions_end"),
    path("me/sessions/<int:pk>/end", sessions.session_end, name="session_end"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        passwords.from_key,
        name="account_reset_password_from_key",
    ),
    # One page each for the address, the sessions and the password, ours.
    path("accounts/email/", RedirectView.as_view(pattern_name="me")),
    path("accounts/sessions/", RedirectView.as_view(pattern_name="sessions")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
]
