"""`python -m tests.drills.rollout`: who a growing share acts for, at ten thousand customers. Needs no database.

Exit 0 when each share is within one point and nobody was moved out, 1 otherwise.
"""

import argparse
import sys

from gates import rollout
from ledger.identity import mint_external_id

MOST_OFF = 1.0


def main() -> int:
    """Draw customers, count both sides at each stage, and say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    count = parser.parse_args().customers
    customers = [mint_external_id("cus") for _ in range(count)]
    is_fine, before = True, set[str]()
    for stage, share in rollout.SHARE.items():
        members = {one for one in customers if rollout.acts_for(one, stage)}
        again = {one for one in customers if rollout.acts_for(one, stage)}
        percent, moved_out = 100 * len(members) / count, len(before - members) + len(members ^ again)
        is_fine &= abs(percent - share) <= MOST_OFF and moved_out == 0
        line = f"{stage:8} wanted {share:3} %  acts for {percent:6.2f} %  added {len(members - before):6,}"
        print(f"{line}  moved out {moved_out}")  # noqa: T201 - the command's result
        before = members
    print("all is well" if is_fine else "something is wrong")  # noqa: T201 - the command's result
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
