"""What machines tell the apps above them."""

from django.dispatch import Signal

# Sent in the transaction of the change, when a machine's plan may come out differently: its plug, its
# service state or its power limits. Arguments: ``printer_ids`` (set of int), ``actor``, ``now``.
printer_changed = Signal()
