"""The record types of the simulated account: their fields, references, sublists and external-id groups."""

from dataclasses import dataclass

TEXT, DATE, FLAG, NUMBER, REF = "text", "date", "flag", "number", "ref"


@dataclass(frozen=True)
class RecordType:
    """One record type; `fields` maps schema names to kinds, `refs` names what a reference must point at."""

    name: str
    group: str
    first_id: int
    fields: dict[str, str]
    refs: dict[str, str]
    sublists: dict[str, frozenset[str]]
    action_field: str = ""
    sql_table: str = ""
    sql_type: str = ""

    def known(self, name: str) -> str:
        """The schema's spelling of a member, empty when there is no such member. NetSuite minds no case here."""
        lower = name.lower()
        return next((one for one in (*self.fields, *self.sublists, *READ_ONLY) if one.lower() == lower), "")


READ_ONLY = ("id", "links", "createdDate", "lastModifiedDate", "refName")
LINE_FIELDS = frozenset({"line", "item", "quantity", "rate", "amount", "description", "custcol_mesh_line"})
BOOK_FIELDS = frozenset({
    "id", "internalid", "label", "line", "defaultbilling", "defaultshipping", "isresidential", "addressbookaddress",
})  # fmt: skip
ADDRESS_FIELDS = frozenset({"id", "nexuscountry", "nexusstate", "nexus", "taxregistrationnumber", "address"})

CUSTOMER = RecordType(
    "customer", "entity", 1847,
    {
        "externalId": TEXT, "isPerson": FLAG, "companyName": TEXT, "entityId": TEXT, "firstName": TEXT,
        "lastName": TEXT, "email": TEXT, "phone": TEXT, "mobilePhone": TEXT, "altPhone": TEXT,
        "subsidiary": REF, "currency": REF,
        "terms": REF, "isInactive": FLAG, "comments": TEXT, "url": TEXT, "creditLimit": NUMBER, "defaultTaxReg": REF,
        "salesRep": REF, "priceLevel": REF, "receivablesAccount": REF, "emailTransactions": FLAG,
        "custentity_onboarding_code": TEXT, "custentity_mesh_deal_id": TEXT, "custentity_nm_stripe_customer_id": TEXT,
        "custentity_stripe_portal_url": TEXT, "custentity_mesh_tax_id": TEXT, "custentity_mesh_last_writer": TEXT,
        "custentity_mesh_status": TEXT, "custentity_mesh_action": TEXT, "custentity_mesh_stripe_portal_url": TEXT,
        "custentity_mesh_shared_payer": FLAG, "custentity_billing_email": TEXT,
    },
    {"subsidiary": "subsidiary", "currency": "currency", "terms": "term"},
    {"taxRegistration": ADDRESS_FIELDS, "addressBook": BOOK_FIELDS}, "custentity_mesh_action", "customer",
)  # fmt: skip
INVOICE = RecordType(
    "invoice", "transaction", 90211,
    {
        "externalId": TEXT, "entity": REF, "tranDate": DATE, "dueDate": DATE, "terms": REF, "subsidiary": REF,
        "currency": REF, "location": REF, "department": REF, "class": REF, "postingPeriod": REF, "otherRefNum": TEXT,
        "memo": TEXT, "createdFrom": REF, "tranId": TEXT, "status": TEXT, "total": NUMBER, "amountRemaining": NUMBER,
        "amountPaid": NUMBER, "approvalStatus": REF, "custbody_onboarding_code": TEXT,
        "custbody_stripe_invoice_id": TEXT,
        "custbody_mesh_action": TEXT,
    },
    {"entity": "customer", "terms": "term", "subsidiary": "subsidiary", "currency": "currency"},
    {"item": LINE_FIELDS}, "custbody_mesh_action", "transaction", "CustInvc",
)  # fmt: skip
SALES_ORDER = RecordType(
    "salesOrder", "transaction", 80110, INVOICE.fields, INVOICE.refs, INVOICE.sublists, "custbody_mesh_action",
    "transaction", "SalesOrd",
)  # fmt: skip
CREDIT_MEMO = RecordType(
    "creditMemo", "transaction", 95001, INVOICE.fields,
    {**INVOICE.refs, "createdFrom": "invoice"}, INVOICE.sublists, "custbody_mesh_action", "transaction", "CustCred",
)  # fmt: skip
APPLY_FIELDS = frozenset({"line", "doc", "apply", "amount", "refnum", "due", "total", "type"})
JOURNAL_FIELDS = frozenset({"line", "account", "debit", "credit", "memo", "entity", "department", "class", "location"})
PAYMENT_REFS = {"customer": "customer", "currency": "currency", "account": "account", "subsidiary": "subsidiary",
                "paymentMethod": "paymentMethod"}  # fmt: skip
CUSTOMER_PAYMENT = RecordType(
    "customerPayment", "transaction", 200_001,
    {
        "externalId": TEXT, "customer": REF, "tranDate": DATE, "currency": REF, "account": REF, "payment": NUMBER,
        "memo": TEXT, "arAcct": REF, "subsidiary": REF, "undepFunds": FLAG, "tranId": TEXT, "status": TEXT,
        "total": NUMBER, "applied": NUMBER, "unapplied": NUMBER, "custbody_mesh_action": TEXT,
    },
    PAYMENT_REFS, {"apply": APPLY_FIELDS}, "custbody_mesh_action", "transaction", "CustPymt",
)  # fmt: skip
CUSTOMER_REFUND = RecordType(
    "customerRefund", "transaction", 300_001,
    {
        "externalId": TEXT, "customer": REF, "tranDate": DATE, "currency": REF, "account": REF, "memo": TEXT,
        "arAcct": REF, "subsidiary": REF, "paymentMethod": REF, "tranId": TEXT, "status": TEXT, "total": NUMBER,
        "custbody_mesh_action": TEXT,
    },
    PAYMENT_REFS, {"apply": APPLY_FIELDS}, "custbody_mesh_action", "transaction", "CustRfnd",
)  # fmt: skip
JOURNAL = RecordType(
    "journalEntry", "transaction", 400_001,
    {
        "externalId": TEXT, "tranDate": DATE, "currency": REF, "memo": TEXT, "subsidiary": REF, "tranId": TEXT,
        "approved": FLAG, "reversalDate": DATE, "custbody_mesh_action": TEXT,
    },
    {"currency": "currency", "subsidiary": "subsidiary"}, {"line": JOURNAL_FIELDS}, "custbody_mesh_action",
    "transaction", "Journal",
)  # fmt: skip
ACCOUNT = RecordType("account", "account", 218, {"externalId": TEXT, "acctName": TEXT, "acctNumber": TEXT,
                                                 "isInactive": FLAG}, {}, {}, "", "account")  # fmt: skip
METHOD = RecordType("paymentMethod", "paymentMethod", 7, {"externalId": TEXT, "name": TEXT, "isInactive": FLAG},
                    {}, {}, "")  # fmt: skip
CONTRACT = RecordType(
    "customrecord_mesh_contract", "customrecord_mesh_contract", 501,
    {
        "externalId": TEXT, "name": TEXT, "altName": TEXT, "isInactive": FLAG, "custrecord_mesh_status": TEXT,
        "custrecord_mesh_plan": TEXT, "custrecord_mesh_action": TEXT, "custrecord_stripe_subscription_id": TEXT,
        "custrecord_mesh_customer": REF, "custrecord_mesh_started": DATE, "custrecord_mesh_ends": DATE,
        "custrecord_mesh_mrr": NUMBER, "custrecord_mesh_currency": TEXT, "custrecord_mesh_note": TEXT,
    },
    {"custrecord_mesh_customer": "customer"}, {}, "custrecord_mesh_action", "customrecord_mesh_contract",
)  # fmt: skip
SUBSCRIPTION = RecordType(
    "subscription", "subscription", 3001,
    {
        "externalId": TEXT, "customer": REF, "billingAccount": REF, "subscriptionPlan": REF, "startDate": DATE,
        "endDate": DATE, "autoRenewal": FLAG, "billingSubscriptionStatus": TEXT, "currency": REF,
    },
    {"customer": "customer"}, {}, "", "subscription",
)  # fmt: skip
TERM = RecordType("term", "term", 1, {"externalId": TEXT, "name": TEXT, "dateDriven": FLAG, "daysUntilNetDue": NUMBER,
                                      "isInactive": FLAG}, {}, {}, "", "term")  # fmt: skip
CURRENCY = RecordType("currency", "currency", 1, {"externalId": TEXT, "name": TEXT, "symbol": TEXT,
                                                  "isInactive": FLAG}, {}, {}, "", "currency")  # fmt: skip
SUBSIDIARY = RecordType("subsidiary", "subsidiary", 1, {"externalId": TEXT, "name": TEXT, "isInactive": FLAG},
                        {}, {}, "", "subsidiary")  # fmt: skip

TYPES = {
    one.name: one
    for one in (CUSTOMER, INVOICE, SALES_ORDER, CREDIT_MEMO, CONTRACT, SUBSCRIPTION, TERM, CURRENCY, SUBSIDIARY,
                ACCOUNT, METHOD, CUSTOMER_PAYMENT, CUSTOMER_REFUND, JOURNAL)
}  # fmt: skip
SEEDED: dict[str, list[dict[str, str | int]]] = {
    "term": [{"name": "Net 15", "daysUntilNetDue": 15}, {"name": "Net 30", "daysUntilNetDue": 30},
             {"name": "Due on receipt", "daysUntilNetDue": 0}],
    "currency": [{"name": "USD", "symbol": "USD"}, {"name": "EUR", "symbol": "EUR"}, {"name": "GBP", "symbol": "GBP"},
                 {"name": "JPY", "symbol": "JPY"}, {"name": "KWD", "symbol": "KWD"}],
    "account": [{"acctName": "Billing clearing"}, {"acctName": "Payment fees"}, {"acctName": "Disputed payments"},
                {"acctName": "Billing clearing EU"}],
    "paymentMethod": [{"name": "Card"}],
    "subsidiary": [{"name": "Parent Company"}, {"name": "Europe"}, {"name": "Nordics"}],
}  # fmt: skip
