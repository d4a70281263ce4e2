"""set_provider PROJECT PROVIDER: how a project reaches an agent provider; the key is read from standard input."""

from typing import Any

from django.core.management import CommandError, CommandParser

from orchestration import provider_settings
from policy.management.command import PolicyCommand, actor_of, add_user_option, project, value_from_stdin


class Command(PolicyCommand):
    help = (
        "Set the address, model and key that a project uses for a provider. The key is never shown again.\n\n"
        "Example: printf '%s' \"$KEY\" | manage.py set_provider website openai --key-stdin"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("provider", metavar="PROVIDER", help="openai or anthropic")
        parser.add_argument(
            "--base-url", default="", metavar="URL", help="a compatible server instead of the provider's"
        )
        parser.add_argument("--model", default="", metavar="NAME", help="where a step names none")
        parser.add_argument("--foreground", action="store_true", help="for servers without background responses")
        parser.add_argument("--key-stdin", action="store_true", help="read the key; else the stored one is kept")
        parser.add_argument("--test", action="store_true", help="then ask the provider something cheap")
        add_user_option(parser)

    def run(self, options: dict[str, Any]) -> None:
        where, by, name = project(options["project"]), actor_of(options), options["provider"]
        is_keyless = provider_settings.set_provider(
            where,
            name,
            by=by,
            base_url=options["base_url"],
            model=options["model"],
            foreground=options["foreground"],
            key=value_from_stdin("Key") if options["key_stdin"] else None,
        )
        if options["test"] and (found := provider_settings.test_connection(where, name, by=by)):
            raise CommandError(f"Set {name} in {where.slug}, but: {' '.join(found)}")
        said = [f"Set {name} in {where.slug}."]
        said += [provider_settings.KEY_GONE] if is_keyless else []
        said += ["It answers."] if options["test"] else []
        self.stdout.write(" ".join(said))
