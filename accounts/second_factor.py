"""The second factor's secrets, encrypted at rest."""

from allauth.mfa.adapter import DefaultMFAAdapter


class EncryptingAdapter(DefaultMFAAdapter):
    """Placeholder."""
