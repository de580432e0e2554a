"""What people do to a row besides editing it: one description for its page's button and the list's action."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from core import clock
from core.errors import Refused
from core.forms import show_violations
from core.theme import ThemedAdmin, actor_of

if TYPE_CHECKING:
    from django.utils.functional import Promise

M = TypeVar("M", bound=models.Model)


def always(row: models.Model, now: datetime) -> bool:
    """The verb is offered whatever the row's state."""
    return True


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing to do. With a ``form`` or a ``question`` it asks first; ``done`` has a place for %(names)s.

    ``act(row, actor=, now=, **answers)`` calls a door; the answers of the form come as keywords, and with
    ``needs_origin`` our own address (scheme and host) as ``origin``. ``show(admin, request, row, made)`` is the page
    for what the door made for one row; without it the way leads back.
    """

    name: str
    label: "Promise"
    done: "Promise"
    act: Callable[..., object]
    icon: str = ""
    question: "Promise | str" = ""
    form: type[forms.Form] | None = None
    is_offered: Callable[[Any, datetime], bool] = always
    is_danger: bool = False
    in_list: bool = True
    needs_origin: bool = False
    show: "Callable[[VerbAdmin[Any], HttpRequest, Any, Any], HttpResponse] | None" = None

    @property
    def order(self) -> str:
        """The label of the button that does it: nothing more is asked then."""
        return str(self.label).removesuffix("…").rstrip()

    @property
    def asks(self) -> bool:
        """Whether something has to be answered before it is done."""
        return self.form is not None or bool(self.question)


def do_url(verb: Verb, row: models.Model) -> str:
    """Where the verb is done to the row."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_do"
    return reverse(name, args=[quote(row.pk), verb.name])


class ReasonForm(forms.Form):
    """Why; the record and the next person want to know."""

    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget())


class OptionalReasonForm(forms.Form):
    """Why, if there is something to say."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget()
    )


class VerbAdmin(ThemedAdmin[M]):
    """Rows with buttons: every verb is a POST, on the row's page or for the chosen rows of the list."""

    verbs: Sequence[Verb] = ()
    change_form_outer_before_template = "admin/_panel.html"

    def panel(self, row: M, now: datetime) -> list[tuple[str, object]]:
        """What to know of the row before pressing a button: name and value."""
        return []

    def may_act(self, request: HttpRequest, row: M | None = None) -> bool:
        """Whether the person may use the verbs."""
        return self.has_change_permission(request, row)

    def get_urls(self) -> list[URLPattern]:
        """One address for all verbs."""
        view = self.admin_site.admin_view(self.do_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        return [path("<path:object_id>/do/<slug:name>/", view, name=name), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Hand the panel its facts and buttons."""
        if (obj := context["original"]) is not None:
            now = clock.now()
            context["panel"] = self.panel(obj, now)
            context["verbs"] = self.offered(request, obj, now)
        return super().render_change_form(request, context, *args, **kwargs)

    def offered(self, request: HttpRequest, row: M, now: datetime) -> list[dict[str, object]]:
        """The verbs this person may use on this row now, with their addresses."""
        if not self.may_act(request, row):
            return []
        return [{"verb": verb, "url": do_url(verb, row)} for verb in self.verbs if verb.is_offered(row, now)]

    def do_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """One verb for one row: ask on GET if it is offered, act on POST if the door lets it."""
        verb = next((verb for verb in self.verbs if verb.name == name), None)
        row = self.get_object(request, unquote(object_id))
        if verb is None or row is None:
            raise Http404
        if not self.may_act(request, row):
            raise PermissionDenied
        if request.method != "POST" and not verb.is_offered(row, clock.now()):
            messages.error(request, _("“%(verb)s” is not possible at the moment.") % {"verb": verb.order})
            return HttpResponseRedirect(self._page_of(row))
        form = verb.form(request.POST if request.method == "POST" else None) if verb.form else None
        if request.method == "POST" and (form is None or form.is_valid()):
            made, refused = self._act(request, verb, [row], form)
            if verb.show is not None and not refused:
                return verb.show(self, request, row, made[0])
            if form is None or not refused:
                _tell(request, refused)
                return HttpResponseRedirect(self._way_back(request, row))
            show_violations(form, refused[0][1].violations)
        return self._ask(request, verb, [row], form)

    def do(self, request: HttpRequest, verb: Verb, row: M) -> HttpResponse | None:
        """Do a verb that asks nothing, as the end of something else; the page for what it made, if there is one."""
        made, refused = self._act(request, verb, [row], None)
        _tell(request, refused)
        return verb.show(self, request, row, made[0]) if verb.show and made else None

    def _way_back(self, request: HttpRequest, row: M) -> str:
        wanted = request.POST.get("next", "")
        if wanted and url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
            return wanted
        return self._page_of(row)

    def _page_of(self, row: M) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[quote(row.pk)])

    def _act(
        self, request: HttpRequest, verb: Verb, rows: Sequence[M], form: forms.Form | None
    ) -> tuple[list[object], list[tuple[M, Refused]]]:
        """Call the door for each row and name what was done; returns what the doors made, and what was refused."""
        now, answers = clock.now(), dict(form.cleaned_data) if form else {}
        if verb.needs_origin:
            answers["origin"] = request.build_absolute_uri("/")
        made: list[object] = []
        refused: list[tuple[M, Refused]] = []
        for row in rows:
            try:
                made.append(verb.act(row, actor=actor_of(request), now=now, **answers))
            except Refused as no:
                refused.append((row, no))
        without = [row for row, _no in refused]
        if names := ", ".join(str(row) for row in rows if row not in without):
            messages.success(request, str(verb.done) % {"names": names})
        return made, refused

    def _ask(
        self,
        request: HttpRequest,
        verb: Verb,
        rows: Sequence[M],
        form: forms.Form | None,
        action: str = "",
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": verb.order,
            "opts": self.opts,
            "verb": verb,
            "rows": rows,
            "form": form,
            "action": action,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "next": request.POST.get("next") or request.GET.get("next", ""),
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def get_actions(self, request: HttpRequest) -> Any:
        """The verbs, besides what the list can do anyway."""
        actions: dict[str, Any] = dict(super().get_actions(request))
        if self.may_act(request):
            for verb in self.verbs:
                if verb.in_list:
                    actions[verb.name] = (partial(self._do_many, verb), verb.name, verb.label)
        return actions

    def _do_many(
        self, verb: Verb, _admin: object, request: HttpRequest, queryset: QuerySet[M]
    ) -> HttpResponse | None:
        """A verb for the chosen rows; asks once for all."""
        rows, is_answered = list(queryset), "_asked" in request.POST
        if not all(self.may_act(request, row) for row in rows):
            raise PermissionDenied
        form = verb.form(request.POST if is_answered else None) if verb.form else None
        if (verb.asks and not is_answered) or (form is not None and not form.is_valid()):
            return self._ask(request, verb, rows, form, action=verb.name)
        _made, refused = self._act(request, verb, rows, form)
        _tell(request, refused)
        return None


def _tell(request: HttpRequest, refused: Sequence[tuple[models.Model, Refused]]) -> None:
    """Each refusal is a message that names its row."""
    for row, no in refused:
        messages.error(request, f"{row}: " + " ".join(str(v.message) for v in no.violations))
