"""People who come through an identity provider."""

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter


class WorkshopAdapter(DefaultSocialAccountAdapter):
    """Placeholder."""
