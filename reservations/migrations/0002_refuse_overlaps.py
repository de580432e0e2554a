from django.db import migrations

from reservations.constraints import NoOverlap


class Migration(migrations.Migration):
    dependencies = [("reservations", "0001_initial")]

    operations = [NoOverlap()]
