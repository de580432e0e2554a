"""What plugs tell the apps above them."""

from django.dispatch import Signal

# Sent first in a transaction that will later send one of the others, so that the apps above take their
# locks before the plugs' rows are locked: person, machine, plug is the order everywhere.
# Arguments: ``plug_ids`` (set of int).
locking = Signal()

# Sent in the transaction that stored the readings, for plugs whose state or draw changed.
# Arguments: ``plug_ids``, ``now``.
power_observed = Signal()

# Sent in the transaction of the change. Receivers plan anew and return the ids of the plugs they plan for.
# Arguments: ``plug_ids``, ``actor``, ``now``.
override_changed = Signal()
