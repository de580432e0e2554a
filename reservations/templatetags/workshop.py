"""Small parts of the pages."""

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "icon") -> SafeString:
    """A shape from the sprite; decoration, since a word always stands beside it."""
    sheet = static("icons/icons.svg")
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css,
        sheet,
        name,
    )


@register.simple_tag
def current_page(request: HttpRequest, *names: str) -> SafeString:
    """ARIA's mark of the page one is on, for a link of the navigation."""
    match = getattr(request, "resolver_match", None)
    return SafeString('aria-current="page"') if match and match.url_name in names else SafeString("")
