"""Orchestration is offered to everyone; an admin narrows the flag to people, groups or a percentage."""

from django.db import migrations

NAME = "orchestration"
NOTE = (
    "Offers orchestration on the pages of features. A flag named orchestration:PROJECT decides for that project alone."
)


def offer(apps, schema_editor):
    apps.get_model("waffle", "Flag").objects.get_or_create(name=NAME, defaults={"everyone": True, "note": NOTE})


def take_back(apps, schema_editor):
    apps.get_model("waffle", "Flag").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("waffle", "0004_update_everyone_nullbooleanfield")]
    operations = [migrations.RunPython(offer, take_back)]
