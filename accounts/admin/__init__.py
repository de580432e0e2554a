"""The trainers' pages for people."""

from accounts.admin import foreign, people, qualifications

__all__ = ["foreign", "people", "qualifications"]
