"""An approval is bound to everything that was shown: change one thing and the fingerprint is another."""

import pytest

from gates.preview import fingerprint

SHOWN = [{"system": "ERP", "field": "contract status", "now": "active", "after": "suspended"}]
GIVEN = {
    "kind": "contract.suspend", "target": "contract:in_1", "params": {"invoice": "in_1"}, "shown": SHOWN,
    "rule_version": "a1:00", "amount": (4900, "usd"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("kind", "contract.downgrade"),
        ("target", "contract:in_2"),
        ("params", {"invoice": "in_2"}),
        ("params", {"invoice": "in_1", "plan": "free"}),
        ("shown", [SHOWN[0] | {"now": "suspended"}]),
        ("shown", [SHOWN[0] | {"after": "active"}]),
        ("shown", [*SHOWN, *SHOWN]),
        ("shown", []),
        ("rule_version", "a2:00"),
        ("amount", (4901, "usd")),
        ("amount", (4900, "eur")),
        ("amount", (None, "")),
    ],
)
def test_any_change_is_another_fingerprint(name, other):
    assert fingerprint(**GIVEN | {name: other}) != fingerprint(**GIVEN)


def test_the_same_is_the_same_in_any_order_of_names():
    turned = [dict(reversed(SHOWN[0].items()))]

    assert fingerprint(**GIVEN | {"shown": turned}) == fingerprint(**GIVEN)
    assert len(fingerprint(**GIVEN)) == 64
