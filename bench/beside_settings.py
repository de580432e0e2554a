"""The product's settings with a bare view beside it, and without limits of requests."""

from myp_project.rest import REST_FRAMEWORK
from myp_project.settings import *  # noqa: F403

ROOT_URLCONF = "bench.beside"
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = dict.fromkeys(("address", "user", "token"), "10000000/min")
