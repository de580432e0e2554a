"""What pages say about the second factor."""

from django import template
from django.http import HttpRequest

from accounts.second_factor import is_missing

register = template.Library()


@register.simple_tag
def must_set_up_factor(request: HttpRequest) -> bool:
    """Whether this person may do nothing else before a second factor is set up."""
    return is_missing(request)
