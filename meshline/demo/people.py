"""The people of the demo, one for each group, and what they do during the week: by the same doors as everybody."""

import base64
from dataclasses import dataclass

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, User
from django.utils.crypto import get_random_string, salted_hmac

from gates import automations, review, stop
from gates.models import Automation, ReviewItem
from gates.rollout import registration

DOMAIN = "meshline.example"
# Who holds the key of this checkout can read the passwords anyway, and they have 75 random bits: few rounds will do.
ROUNDS = 20_000
# One at each stage, so that a visitor sees what each of them means.
# Automation -> who answers for it and its stage, with how many days ago each step was taken.
STAGES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "dunning": ("ben", "full", (61, 44, 37, 30, 21)),
    "onboarding": ("rita", "full", (54, 38, 31, 24, 17)),
    "accounting": ("ben", "full", (47, 33, 26, 19, 12)),
    "customer_sync": ("ben", "half", (40, 24, 16, 9)),
    "tickets": ("sofia", "ten", (33, 17, 9)),
    "dispute_recovery": ("ben", "canary", (25, 6)),
    "refunds": ("ben", "suggest", (9,)),
    "cancellations": ("ben", "shadow", ()),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    username: str
    first: str
    group: str
    may: str

    @property
    def password(self) -> str:
        """Made from the key of this checkout: the same at every start here, another one elsewhere."""
        digest = salted_hmac("meshline.demo.people", self.username, algorithm="sha256").digest()
        text = base64.b32encode(digest).decode().lower()
        return "-".join((text[:5], text[5:10], text[10:15]))

    def account(self) -> User:
        """The stored account."""
        return User.objects.get(username=self.username)


SUPPORT = Person("sofia", "Sofia", "Support", "sees everything, claims items, stops all writes")
RESOLVER = Person("ben", "Ben", "Billing Resolver", "approves, rejects and retries")
MANAGER = Person("maya", "Maya", "Support Manager", "approves above the limit, resumes after a stop")
ENGINEER = Person("arun", "Arun", "Automation Engineer", "retries, replays, reads bodies")
LEAD = Person("rita", "Rita", "Revenue Ops Lead", "steps automations, resumes after a stop")
PRODUCT = Person("paul", "Paul", "Product Ops", "sees everything, claims items")
AUDITOR = Person("ada", "Ada", "Auditor", "sees everything, bodies included")
CSM = Person("carla", "Carla", "CSM", "ticks onboarding steps, moves their due dates, writes progress mail")
SQUAD = Person("otto", "Otto", "Onboarding Squad", "takes over onboardings that are late")
PEOPLE = (SUPPORT, RESOLVER, MANAGER, ENGINEER, LEAD, PRODUCT, AUDITOR, CSM, SQUAD)


def arrive() -> None:
    """Make the accounts, and let one of them switch the automations on, step by step as it must be."""
    for person in PEOPLE:
        encoded = PBKDF2PasswordHasher().encode(person.password, get_random_string(22), ROUNDS)
        user = User.objects.create(
            username=person.username, first_name=person.first, email=f"{person.username}@{DOMAIN}", is_staff=True,
            password=encoded,
        )  # fmt: skip
        user.groups.add(Group.objects.get(name=person.group))
    for name, (owner, stage, ages) in STAGES.items():
        _register(name, owner)
        automations.place(name, stage, ages=ages, why="demo: the simulators stand in for the providers")


def _register(name: str, owner: str) -> None:
    """Somebody answers for each automation, and has signed it."""
    user, said = User.objects.get(username=owner), "Read it with the team"
    one = Automation.objects.get(name=name)
    one = registration.change(
        name, {"owner": owner}, by=ENGINEER.account(), reason=f"{user.first_name} looks after it",
        state_version=one.state_version,
    )  # fmt: skip
    registration.sign_off(name, by=user, reason=said, version=one.version)


def press_stop() -> str:
    """Anybody may."""
    stop.engage(stop.ALL, by=SUPPORT.account(), reason="Suspensions look wrong to me, checking with billing")
    return f"{SUPPORT.first} ({SUPPORT.group}) presses the emergency stop: no write leaves"


def ask_resume() -> str:
    """The first of two."""
    held = stop.held_count()
    stop.request_resume(stop.ALL, by=MANAGER.account(), reason="Checked: these invoices are unpaid")
    return f"{MANAGER.first} ({MANAGER.group}) asks to resume, {held} actions wait; everything stays halted"


def confirm_resume() -> str:
    """The second of two."""
    stop.confirm_resume(stop.ALL, by=LEAD.account(), a_minute=stop.MOST_A_MINUTE)  # a week is a minute here
    return f"{LEAD.first} ({LEAD.group}) confirms: what waited is judged again and released a few at a time"


def approve_restores(most: int) -> int:
    """The resolver gives service back to some of those who paid late; the other items are left for a visitor."""
    resolver = RESOLVER.account()
    waiting = ReviewItem.objects.filter(state="open", kind="contract.restore", action__state="in_review")
    done = 0
    for item in waiting.select_related("action").order_by("id")[:most]:
        if item.action is not None:
            review.approve(
                item.pk, by=resolver, reason="The payment is there", version=item.action.state_version,
                preview_hash=item.action.preview_hash,
            )  # fmt: skip
            done += 1
    return done
