"""Incidents: whom they touch and what is said to them. Nothing here sends; `sync.incidents` makes and carries actions.

`scope` matches customers, `templates` writes messages, `desk` is what people do with an incident, `rounds` with an
update and its queue, `rows` writes the ledger.
"""

VIEW, WORK, APPROVE = "gates.view_incident", "gates.work_incident", "gates.approve_outreach"
EDIT_TEMPLATE, EDIT_SERVICE = "gates.edit_outreach_template", "gates.edit_service_scope"
OWNER = "Product Ops"
ITEM_KIND, NO_SCOPE, BACK = "incident", "incident_without_scope", "incident_back"
MANUAL = "manual"
PREFIX = "incident:"  # how the business keys of its messages begin
