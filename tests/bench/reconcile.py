"""How much more than one SQL join a reconciliation costs: a million records against a million, 1 % of them differ.

    uv run python -m tests.bench.reconcile [--rows 1000000] [--rounds 3]

The plain join compares two tables that are in the database already. The reconciliation is the product's own: each side
comes in pages of plain rows, is streamed into the staging table by COPY, duplicates are counted, both sides are joined,
every difference becomes a finding with its owner, and the staging table is emptied. Both in the same run, by turns;
medians. What making the pages up takes, as a provider's answers would, is told and not counted. Exit 1 when it takes
more than 8 times the join, or its process more than 256 MB.
"""

import argparse
import json
import subprocess
import sys

from tests.bench.rig import ROOT, Rig

MOST_TIMES, MOST_MB = 8.0, 256.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rig = Rig("reconcile")
    try:
        rig.manage("migrate")
        inside = f"from tests.bench import reconcile_inside; reconcile_inside.main({asked.rows}, {asked.rounds})"
        command = [sys.executable, str(ROOT / "manage.py"), "shell", "-c", inside]
        with rig.owner() as session:
            session.execute("grant create on schema public to public")  # for the two tables of the plain join
        done = subprocess.run(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True, check=True)
    finally:
        rig.close()
    if not show(json.loads(done.stdout.splitlines()[-1])):
        sys.exit(1)


def show(found: dict[str, float]) -> bool:
    """Print the figures; whether both bars are kept."""
    ratio = found["seconds"] / found["join"]
    print(
        f"{found['rows']:,} x {found['rows']:,} records, {found['differences']:,} differ, all found: {found['right']}"
    )
    print(f"plain SQL join    {found['join']:>7.2f} s   (work_mem as in the product)")
    print(f"reconciliation    {found['seconds']:>7.2f} s   {ratio:.1f} times the join (bar {MOST_TIMES:.0f})")
    for name, what in (("copy", "COPY in"), ("compare", "compare and judge"), ("forget", "empty staging")):
        print(f"  {what:<18}{found[name]:>5.2f} s")
    print(f"not counted: {found['making']:.2f} s in which the pages ({found['page']:,} rows each) were made up")
    print(f"process           {found['mb']:>7.0f} MB  (bar {MOST_MB:.0f}; {found['mb_before']:.0f} before it began)")
    return ratio <= MOST_TIMES and found["mb"] <= MOST_MB and bool(found["right"])


if __name__ == "__main__":
    main()
