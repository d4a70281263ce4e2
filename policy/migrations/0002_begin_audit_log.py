"""Lay the first link: an empty log whose head is the genesis hash."""

from django.db import migrations

GENESIS = "0" * 64


def begin(apps, schema_editor):
    apps.get_model("policy", "AuditHead").objects.get_or_create(id=1, defaults={"sequence": 0, "hash": GENESIS})


class Migration(migrations.Migration):
    dependencies = [("policy", "0001_initial")]

    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
