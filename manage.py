#!/usr/bin/env python
"""Django's command line for CCDash Workbench."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccdash.settings")
    from django.core.management import execute_from_command_line

    from ccdash.env import BadSetting

    try:
        execute_from_command_line(sys.argv)
    except BadSetting as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
