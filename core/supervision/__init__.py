"""Processes: one parent that starts, watches and ends the others, and a watchdog inside the workers' cluster.

Linux only, on purpose: ``prctl`` ends children with their parent, ``/proc`` tells ours from foreign ones.
"""
