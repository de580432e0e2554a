"""Journal entries."""

from rest_framework import serializers

from journal.models import Entry
from journal.wording import kind_words


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One thing that happened."""

    text = serializers.SerializerMethodField(help_text="The kind in words, in the language asked for.")

    class Meta:
        model = Entry
        fields = ["id", "at", "kind", "text", "actor", "channel", "subject", "subject_label", "data"]
        read_only_fields = fields
        extra_kwargs = {
            "kind": {"help_text": "For example `job.booked`; stable."},
            "actor": {"help_text": "Who did it; null: the system by itself."},
            "subject": {"help_text": "What it was done to, as `type:id`: `job:17`, `user:3`."},
            "data": {"help_text": "Details; they depend on the kind."},
            "subject_label": {"help_text": "What the subject was called then."},
        }

    def get_text(self, entry: Entry) -> str:
        """As the administration shows it."""
        return kind_words(entry.kind)
