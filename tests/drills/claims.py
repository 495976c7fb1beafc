"""`python -m tests.drills.claims`: sixty texts of an assistant against a ledger, over the API, on its own database.

Exit 0 when every one is judged right and the answers name only rows with a confirmation; 1 otherwise.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from tests.claim_texts import ACME, CASES
from tests.drills.stage import Stage

ROOT = Path(__file__).resolve().parent.parent.parent
PREPARE = """
import django
django.setup()
from datetime import timedelta
from django.contrib.auth.models import Group, User
from gates.models import ApiToken
from ledger import clock
from tests import claim_cases
claim_cases.prepare()
user = User.objects.create_user("bot", "bot@drill.example", "x", is_staff=True)
user.groups.add(Group.objects.get(name="Assistant"))
print(ApiToken.issue(user, expires_at=clock.now() + timedelta(hours=1))[1])
"""
UNPROVED = """
select count(*) from sync_claimcheck c, jsonb_array_elements(c.sentences) s, jsonb_array_elements(s -> 'claims') k,
       jsonb_array_elements_text(k -> 'rows') r join ledger_ledgerrow l on l.id = r::bigint
 where k ->> 'verdict' = 'verified' and (l.post_state <> 'applied' or l.confirmation_id = '')"""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(stage: Stage) -> bool:
    """Ask all of them; whether all are right."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "meshline.settings"
    made = subprocess.run([sys.executable, "-c", PREPARE], check=False, cwd=ROOT, capture_output=True, text=True)
    if made.returncode:
        say(made.stderr[-2000:])
        return False
    token = made.stdout.split()[-1]
    stage.open_doors()
    headers = {"Authorization": f"Bearer {token}"}
    address = f"http://127.0.0.1:{stage.port}/api/v1/claims/verify/"
    wrong: list[tuple[str, Any, str]] = []
    times: list[float] = []
    for text, due in CASES:
        began = time.perf_counter()
        answer = requests.post(address, json={"text": text, "customer": ACME}, headers=headers, timeout=30)
        times.append(time.perf_counter() - began)
        found = answer.json().get("verdict", answer.text[:200])
        if found != due:
            wrong.append((text, found, due))
    with stage.session() as session:
        unproved = int(session.execute(UNPROVED).fetchone()[0])  # type: ignore[index]
    for text, found, due in wrong:
        say(f"WRONG  {found} instead of {due}: {text}")
    times.sort()
    say(f"{len(CASES) - len(wrong)} of {len(CASES)} judged right, {unproved} rest on a row without a confirmation, "
        f"median {times[len(times) // 2] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms")  # fmt: skip
    return not wrong and unproved == 0


def main() -> int:
    """Parse, run, clean up."""
    parser = argparse.ArgumentParser(description="sixty claims against the ledger, over the API")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stage = Stage("drill_claims", seed=options.seed, concurrency=4, workers=1)
    try:
        return 0 if run(stage) else 1
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
