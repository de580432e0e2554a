"""The addresses of the API. A slash at the end may be there or not: see ``api.middleware``."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
