"""What the API keeps: the answers it has given, so that a repeated request gets the first one again."""

from django.conf import settings
from django.db import models

from core.fields import EncryptedTextField


class GivenAnswer(models.Model):
    """The answer to a request that carried an ``Idempotency-Key``; forgotten after a day.

    ``fingerprint``: SHA-256 of method, path and body, hex. The body is encrypted, since the answer to a new
    token holds the token.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = EncryptedTextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="api_answer_once")]
        indexes = [models.Index(fields=["at"], name="api_answer_at")]

    def __str__(self) -> str:
        return self.key
