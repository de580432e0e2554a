#!/usr/bin/env python3
"""Django's command line; `./myp manage …` calls it inside the product's own environment."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myp_project.settings")
    execute_from_command_line(sys.argv)
