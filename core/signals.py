"""What the core tells the apps above it."""

from django.dispatch import Signal

# Sent in the transaction that stopped or started the scheduler.
# Arguments: ``state`` (the row, a ``SchedulerState``), ``is_running``, ``actor``, ``reason``, ``now``.
scheduler_changed = Signal()
