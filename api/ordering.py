"""``?ordering=-starts_at``: by the fields a view allows, and a clear word about others."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request


class Ordering(OrderingFilter):
    """Unlike REST framework's, it does not pass over a name it does not know."""

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> Any:
        """The names asked for, else the view's default."""
        asked = [name.strip() for name in request.query_params.get(self.ordering_param, "").split(",")]
        allowed = [name for name, _label in self.get_valid_fields(queryset, view, {"request": request})]
        for name in filter(None, asked):
            if name.lstrip("-") not in allowed:
                said = _("One cannot order by “%(name)s”; choose from: %(names)s.")
                raise ValidationError(
                    {self.ordering_param: [said % {"name": name, "names": ", ".join(allowed)}]}
                )
        return super().get_ordering(request, queryset, view)
