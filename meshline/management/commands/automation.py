"""`automation`: see what an automation still needs, step it, sign it off, or put it into quarantine, from the shell."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import automations, shell
from gates.models import Automation
from gates.rollout import evidence, ladder, registration


class Command(BaseCommand):
    """One step up at a time and on evidence, any step down at once; paused acts no more."""

    help = (
        "See what an automation needs for its next step; with --stage, --sign-off or --quarantine do that. "
        "Exit 1 when something is missing or it cannot step there from here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, where to, who and why."""
        parser.add_argument("name", help="name of the automation, for example dunning")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--stage", choices=list(automations.VERBS))
        what.add_argument("--sign-off", type=int, metavar="VERSION", help="answer for this version, as its owner")
        what.add_argument("--quarantine", action="store_true", help="pause it and open an exception")
        parser.add_argument("--segment", default="", help="only this part of it: tier:NAME or kind:TICKET_KIND")
        parser.add_argument("--reason", default="", help="why; it goes into the ledger, so no personal data")
        parser.add_argument("--json", action="store_true", help="print the evidence as JSON")
        shell.add_person(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked and say where it stands, or say what is missing."""
        name, segment = options["name"], options["segment"]
        if not (options["stage"] or options["sign_off"] is not None or options["quarantine"]):
            return self._show(name, segment, as_json=options["json"])
        if not options["username"]:
            raise CommandError("--as: say who asks for this", returncode=shell.WRONG_USE)
        by, reason = shell.person(options["username"]), options["reason"]
        with shell.door():
            if options["sign_off"] is not None:
                registration.sign_off(name, by=by, reason=reason, version=options["sign_off"])
                self.stdout.write(f"{name}: version {options['sign_off']} is signed off")
            elif options["quarantine"]:
                _, opened = automations.quarantine(name, by=by, reason=reason)
                self.stdout.write(f"{name}: in quarantine, see {', '.join(f'RV-{one}' for one in opened)}")
            else:
                stepped = automations.step_to(name, options["stage"], by=by, reason=reason, segment=segment)
                about = stepped.segments.get(key=segment) if segment else stepped
                label = f"{name} {segment}" if segment else name
                self.stdout.write(f"{label}: {about.get_state_display()}")
        return None

    def _show(self, name: str, segment: str, *, as_json: bool) -> None:
        one = Automation.objects.filter(name=name).first()
        found = evidence.of([one], with_segments=True) if one else {}
        said = found.get(f"{name}/{segment}" if segment else name)
        if one is None or said is None:
            what = f"segment {segment!r} of {name!r}" if one else f"automation named {name!r}"
            raise CommandError(f"there is no {what}", returncode=shell.WRONG_USE)
        asked = ladder.conditions(said, evidence.bars())
        missing = [each for each in asked if not each.is_met]
        if as_json:
            rows = [{"name": each.name, "met": each.is_met, "has": each.has, "needs": each.needs} for each in asked]
            next_stage = ladder.next_step(said.stage)
            self.stdout.write(json.dumps({"name": name, "stage": said.stage, "next": next_stage, "conditions": rows}))
        else:
            up = ladder.next_step(said.stage)
            self.stdout.write(f"{name} v{one.version}: {said.stage}" + (f", next {up}" if up else ""))
            for each in asked:
                self.stdout.write(f"  [{'x' if each.is_met else ' '}] {each}")
        if missing:
            raise CommandError(f"{len(missing)} of {len(asked)} conditions are not met", returncode=1)
