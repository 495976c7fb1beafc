"""Two systems with the same customers in them, for tests of what compares them; nobody is told of anything."""

from dataclasses import dataclass
from typing import Any

from tests.simulators import Sandbox

# What the CRM's words for it are in the ERP's lists.
SUBSIDIARY, TERMS, EUR = {"id": "1"}, {"id": "2"}, {"id": "2"}


@dataclass
class Books:
    """The CRM and the ERP, filled by `plant`; the n-th customer has `keys[n]`."""

    sandbox: Sandbox
    keys: list[str]
    deals: list[dict[str, Any]]
    erp: list[str]

    @classmethod
    def plant(cls, sandbox: Sandbox, count: int) -> "Books":
        """So many customers that agree in everything."""
        made = cls(sandbox, [], [], [])
        for n in range(count):
            made.add(n)
        return made

    def add(self, n: int, *, in_erp: bool = True) -> str:
        """One more customer."""
        key = f"mesh-cus-{n:04d}"
        deal = self.play(
            "pipedrive", "create_deal", title=f"Company {n} Oy", stage="Contract Signed",
            fields={"Meshline external id": key},
        )  # fmt: skip
        self.keys.append(key)
        self.deals.append(deal)
        self.erp.append(self.in_erp(n, key, deal) if in_erp else "")
        return key

    def in_erp(self, n: int, key: str, deal: dict[str, Any], **more: Any) -> str:
        """The ERP's record of a deal."""
        fields = {
            "subsidiary": SUBSIDIARY, "terms": TERMS, "currency": EUR, "phone": "+358401234567",
            "custentity_onboarding_code": "PKG-GROWTH", "custentity_mesh_deal_id": str(deal["deal"]),
        }  # fmt: skip
        email = f"AP-{deal['organization']}@sandbox.test"
        made = self.play(
            "netsuite", "create_customer", name=f"Company {n}  OY", external_id=key, email=email, fields=fields | more
        )
        return str(made["id"])

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        """Make something happen at a provider."""
        return self.sandbox.post(f"/_play/{provider}/{verb}", params)

    def change_erp(self, n: int, **fields: Any) -> None:
        """Somebody edits the ERP's record."""
        self.play("netsuite", "change_customer", id=self.erp[n], fields=fields)
