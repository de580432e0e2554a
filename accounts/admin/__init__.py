"""The trainers' pages for people."""

from accounts.admin import foreign, lockouts, people, qualifications

__all__ = ["foreign", "lockouts", "people", "qualifications"]
