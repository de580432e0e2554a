"""How the API describes itself (OpenAPI 3.1)."""

from drf_spectacular.openapi import AutoSchema


class Described(AutoSchema):
    """Every operation, with the errors it can answer."""
