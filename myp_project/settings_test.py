"""The settings of the tests: quick hashing, a scratch directory, no secrets of anybody."""

import os
import tempfile

os.environ.setdefault("MYP_ENV_FILE", os.devnull)
os.environ.setdefault("MYP_SECRET_KEY", "only-for-tests")
os.environ.setdefault("MYP_FIELD_KEY", "only-for-tests-too")
os.environ.setdefault("MYP_DATA_DIR", os.path.join(tempfile.gettempdir(), f"myp-tests-{os.getuid()}"))
os.environ.setdefault("MYP_HTTPS", "false")
os.environ.setdefault("MYP_SIMULATION", "true")

os.makedirs(
    os.path.join(os.environ["MYP_DATA_DIR"], "static"), exist_ok=True
)  # WhiteNoise warns when it is missing

from myp_project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
