"""Onboarding checklists: what has to happen after a deal is signed, by whom and by when.

`running` starts lists and ticks what ticks itself, `verbs` is what people do, `timely` what time does, `templates`
the versions of the steps, `figures` what is measured.
"""

AUTOMATION = "onboarding"
SQUAD = "Onboarding Squad"
CSM = "CSM"
ITEM_KIND = "onboarding.step"
VIEW, WORK, EDIT = "gates.view_checklist", "gates.work_checklist", "gates.edit_checklist_template"

# What a step may wait for by itself -> what that is, as the end of a sentence.
EVIDENCE = {
    "fields.valid": "the deal says everything that billing and handoff need",
    "customer.applied": "the ERP has confirmed the customer",
    "invoice.applied": "the ERP has confirmed the first invoice",
}
