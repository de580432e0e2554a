"""The journal: what happened, who did it, through which surface."""

from collections import OrderedDict

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django_filters.rest_framework import CharFilter, Filter, FilterSet

from api.filters import InstantFilter
from api.serializers.records import EntrySerializer
from api.views.base import Resource
from journal.models import Entry
from reservations.models import Job


class EntryFilter(FilterSet):
    """By what happened, to what, who did it, and when."""

    kind = CharFilter("kind", "startswith", help_text="The whole kind, or how it begins: `job.`.")
    subject = CharFilter(help_text="For example `job:17`.")
    channel = CharFilter()

    class Meta:
        model = Entry
        fields = ["actor"]

    @classmethod
    def get_filters(cls) -> OrderedDict[str, Filter]:
        """One of the names is a word of Python's."""
        edges = {
            "from": InstantFilter("at", "gte", help_text="At or after."),
            "to": InstantFilter("at", "lt", help_text="Before."),
        }
        return OrderedDict({**super().get_filters(), **edges})


class Journal(Resource):
    """Trainers read everything, trainees what concerns their own jobs and themselves. Newest first."""

    queryset = Entry.objects.all()
    serializer_class = EntrySerializer
    filterset_class = EntryFilter
    ordering_fields = ["id"]
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Entry]:
        """For trainees there is nothing of others."""
        entries = super().get_queryset()
        if self.person.is_trainer:
            return entries
        jobs = Job.objects.filter(owner=self.person).values_list(
            Concat(Value("job:"), Cast("pk", CharField())), flat=True
        )
        return entries.filter(Q(subject__in=jobs) | Q(subject=f"user:{self.person.pk}"))
