"""Forms about machines."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from core.errors import Refused
from printers.domain import pictures


class PictureField(forms.FileField):
    """A picture as people upload it: judged and written anew before anything is kept."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """What the file dialogue offers; a hint for people, the judgement is ours."""
        return {**super().widget_attrs(widget), "accept": "image/png,image/jpeg,image/webp"}

    def to_python(self, data: Any) -> Any:
        """The picture as it is kept."""
        upload = super().to_python(data)
        if upload is None:
            return None
        try:
            return pictures.accept(upload)
        except Refused as no:
            raise ValidationError([str(v.message) for v in no.violations], code=no.codes[0]) from no
