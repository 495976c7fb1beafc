"""Who may do what: every address and method of the pages and of the API, for each group. Read it as a contract.

A line is METHOD, address, marks. `{name}` in an address is a record of `tests.people.matrix_world`. The marks are, in
this order:

    Su Support             Re Billing Resolver   Ma Support Manager   En Automation Engineer   Le Revenue Ops Lead
    Pr Product Ops         Au Auditor            no in no group       su superuser             in switched off

`y` may: never 401, 403 or 404. `-` may not: 401, 403 or 404 (or the sign-in page), and nothing is changed.
"""

from typing import NamedTuple

from tests.people.matrix_api import API
from tests.people.matrix_disputes import DISPUTES
from tests.people.matrix_governance import GOVERNANCE
from tests.people.matrix_incidents import INCIDENTS
from tests.people.matrix_kpis import KPIS
from tests.people.matrix_rollout import ROLLOUT
from tests.people.matrix_tickets import TICKETS

WHO = (
    "Support", "Billing Resolver", "Support Manager", "Automation Engineer", "Revenue Ops Lead", "Product Ops",
    "Auditor", "nobody", "superuser", "inactive",
)  # fmt: skip

# Records that are looked at and never edited: the list, and the page of one. `records()` says which addresses follow.
RECORDS = """
                        Su Re Ma En Le Pr Au no su in
    gates/reviewitem    y  y  y  y  y  y  y  -  y  -
    gates/automation    y  y  y  y  y  y  y  -  y  -
    gates/gateversion   y  y  y  y  y  y  y  -  y  -
    ledger/customer     y  y  y  y  y  y  y  -  y  -
    ledger/contract     y  y  y  y  y  y  y  -  y  -
    ledger/event        y  y  y  y  y  y  y  -  y  -
    ledger/action       y  y  y  y  y  y  y  -  y  -
    ledger/ledgerrow    y  y  y  y  y  y  y  -  y  -
    sync/slackaccount   y  y  y  y  y  y  y  -  y  -
    sync/slackmessage   y  y  y  y  y  y  y  -  y  -
    sync/attempt        y  y  y  y  y  y  y  -  y  -
    sync/providerstate  y  y  y  y  y  y  y  -  y  -
    sync/refusal        -  y  y  y  y  -  y  -  y  -
    sync/jobrun         -  y  y  y  y  -  y  -  y  -
    sync/contextcheck   y  y  y  y  y  y  y  -  y  -
    sync/erasure        -  -  y  -  y  -  y  -  y  -
    sync/delta          y  y  y  y  y  y  y  -  y  -
    sync/reconcilerun   y  y  y  y  y  y  y  -  y  -
"""

PAGES = """
                                                    Su Re Ma En Le Pr Au no su in
    # --- everybody who may sign in
    GET  admin/                                     y  y  y  y  y  y  y  y  y  -
    GET  admin/home/live/                           y  y  y  y  y  y  y  y  y  -
    GET  admin/home/setup/away/                     y  y  y  y  y  y  y  y  y  -
    POST admin/home/setup/away/                     y  y  y  y  y  y  y  y  y  -
    GET  admin/find/                                y  y  y  y  y  y  y  y  y  -
    GET  admin/keys/                                y  y  y  y  y  y  y  y  y  -
    GET  admin/account/settings/                    y  y  y  y  y  y  y  y  y  -
    GET  admin/account/settings/save/               y  y  y  y  y  y  y  y  y  -
    POST admin/account/settings/save/               y  y  y  y  y  y  y  y  y  -
    POST admin/account/settings/away/               y  y  y  y  y  y  y  y  y  -
    POST admin/account/settings/back/               -  -  -  -  -  -  -  -  -  -
    GET  admin/account/confirm/                     y  y  y  y  y  y  y  y  y  -
    POST admin/account/confirm/                     y  y  y  y  y  y  y  y  y  -
    GET  admin/password_change/                     y  y  y  y  y  y  y  y  y  -
    POST admin/password_change/                     y  y  y  y  y  y  y  y  y  -
    GET  admin/password_change/done/                y  y  y  y  y  y  y  y  y  -
    GET  admin/jsi18n/                              y  y  y  y  y  y  y  y  y  -
    GET  admin/login/                               y  y  y  y  y  y  y  y  y  y
    GET  admin/autocomplete/                        -  -  -  -  -  -  -  -  -  -
    GET  admin/r/1/1/                               -  -  -  -  -  -  -  -  -  -
    GET  admin/nothing/                             -  -  -  -  -  -  -  -  -  -

    # --- the review queue
    GET  admin/queue/live/                          y  y  y  y  y  y  y  y  y  -
    GET  admin/queue/next/                          y  y  y  y  y  y  y  -  y  -
    POST admin/queue/next/                          y  y  y  y  y  y  -  -  y  -
    POST admin/queue/columns/                       y  y  y  y  y  y  y  -  y  -
    POST admin/queue/views/                         y  y  y  y  y  y  y  -  y  -
    POST admin/queue/views/{view}/delete/           -  -  -  -  -  -  -  -  -  -
    GET  admin/queue/runbook/{in_review}/           y  y  y  y  y  y  y  -  y  -
    GET  admin/queue/bulk/approve/                  y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/claim/                    y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/approve/                  y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/reject/                   y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/retry/                    y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/assign/                   y  y  y  y  y  y  y  -  y  -
    POST admin/queue/bulk/snooze/                   y  y  y  y  y  y  y  -  y  -

    # --- one item
    GET  admin/review/{in_review}/live/             y  y  y  y  y  y  y  -  y  -
    POST admin/review/{in_review}/touch/            y  y  y  y  y  y  y  -  y  -
    GET  admin/review/{in_review}/approve/          y  y  y  y  y  y  y  -  y  -
    GET  admin/review/{in_review}/edit/             y  y  y  y  y  y  y  -  y  -
    POST admin/review/{in_review}/claim/            y  y  y  y  y  y  -  -  y  -
    POST admin/review/{in_review}/release/          y  y  y  y  y  y  -  -  y  -
    POST admin/review/{in_review}/comment/          y  y  y  y  y  y  -  -  y  -
    POST admin/review/{in_review}/snooze/           y  y  y  y  y  y  -  -  y  -
    POST admin/review/{snoozed}/wake/               y  y  y  y  y  y  -  -  y  -
    POST admin/review/{in_review}/escalate/         y  y  y  y  y  y  -  -  y  -
    POST admin/review/{in_review}/assign/           -  -  y  -  -  -  -  -  y  -
    POST admin/review/{in_review}/approve/          -  y  y  -  y  -  -  -  y  -
    POST admin/review/{two}/approve/                -  y  y  -  y  -  -  -  y  -
    POST admin/review/{in_review}/reject/           -  y  y  -  -  -  -  -  y  -
    POST admin/review/{failed}/reject/              -  y  y  -  -  -  -  -  y  -
    POST admin/review/{failed}/retry/               -  y  y  y  y  -  -  -  y  -
    POST admin/review/{unknown}/check/              -  y  y  y  y  -  -  -  y  -
    POST admin/review/{in_review}/edit/             -  y  y  -  -  -  -  -  y  -
    POST admin/review/{applied}/rollback/           -  y  y  -  -  -  -  -  y  -
    POST admin/review/{approved}/undo/              -  y  y  -  y  -  -  -  y  -
    GET  admin/actions/{action}/rollback/           y  y  y  y  y  y  y  -  y  -
    POST admin/actions/{action}/rollback/           -  y  y  -  -  -  -  -  y  -
    GET  admin/contracts/{contract}/ask/            y  y  y  -  -  -  -  -  y  -
    POST admin/contracts/{contract}/ask/            y  y  y  -  -  -  -  -  y  -
    GET  admin/customers/{customer}/refresh/        y  y  y  y  y  y  y  -  y  -
    POST admin/customers/{customer}/refresh/        y  y  y  y  y  y  -  -  y  -
    GET  admin/customers/{customer}/identity/       y  y  y  y  y  y  y  -  y  -
    POST admin/customers/{customer}/identity/       -  y  y  -  y  -  -  -  y  -
    GET  admin/reconcile/groups/                    y  y  y  y  y  y  y  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/propose/      -  y  y  y  y  -  -  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/fetch/        -  y  y  y  y  -  -  -  y  -
    GET  admin/reconcile/customers/run/             y  y  y  y  y  y  y  -  y  -
    POST admin/reconcile/customers/run/             -  -  y  y  y  -  -  -  y  -
    GET  admin/reconcile/deltas/{sync/delta}/accept/       y  y  y  y  y  y  y  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/acknowledge/  -  y  y  y  y  -  -  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/assign/       -  y  y  y  y  -  -  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/resolve/      -  y  y  y  y  -  -  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/open_item/    -  y  y  y  y  -  -  -  y  -
    POST admin/reconcile/deltas/{sync/delta}/accept/       -  -  y  -  y  -  -  -  y  -
    GET  admin/events/{event}/replay/               y  y  y  y  y  y  y  -  y  -
    POST admin/events/{event}/replay/               -  y  y  y  y  -  -  -  y  -
    GET  admin/events/{event}/bodies/{body}/        -  y  y  y  y  -  y  -  y  -

    # --- runbooks, routing
    GET  admin/runbooks/                            y  y  y  y  y  y  y  -  y  -
    GET  admin/runbooks/new/                        -  -  y  -  -  y  -  -  y  -
    POST admin/runbooks/new/                        -  -  y  -  -  y  -  -  y  -
    GET  admin/runbooks/{runbook}/                  y  y  y  y  y  y  y  -  y  -
    POST admin/runbooks/{runbook}/edit/             -  -  y  -  -  y  -  -  y  -
    POST admin/runbooks/{runbook}/test/             -  -  y  -  -  y  -  -  y  -
    POST admin/review/{failed}/runbook/{runbook_id}/1/tick/    y  y  y  y  y  y  -  -  y  -
    POST admin/review/{failed}/runbook/{runbook_id}/1/untick/  y  y  y  y  y  y  -  -  y  -
    GET  admin/routing/                             y  y  y  y  y  y  y  -  y  -
    POST admin/routing/absences/add/                y  y  y  y  y  y  y  -  y  -
    GET  admin/routing/rules/add/                   -  -  y  -  -  -  -  -  y  -
    POST admin/routing/rules/add/                   -  -  y  -  -  -  -  -  y  -
    GET  admin/routing/rules/{rule}/                -  -  y  -  -  -  -  -  y  -
    POST admin/routing/rules/{rule}/                -  -  y  -  -  -  -  -  y  -
    POST admin/routing/rules/{rule}/up/             -  -  y  -  -  -  -  -  y  -
    POST admin/routing/rules/{rule}/down/           -  -  y  -  -  -  -  -  y  -
    POST admin/routing/rules/{rule}/end/            -  -  y  -  -  -  -  -  y  -
    POST admin/routing/absences/{absence}/end/      -  -  y  -  -  -  -  -  y  -
    GET  admin/routing/holders/add/                 -  -  y  -  -  -  -  -  y  -
    POST admin/routing/holders/add/                 -  -  y  -  -  -  -  -  y  -
    GET  admin/routing/holders/{holder}/            -  -  y  -  -  -  -  -  y  -
    POST admin/routing/holders/{holder}/            -  -  y  -  -  -  -  -  y  -
    POST admin/routing/holders/{holder}/end/        -  -  y  -  -  -  -  -  y  -
    GET  admin/routing/sensitive/add/               -  -  -  -  y  -  -  -  y  -
    POST admin/routing/sensitive/add/               -  -  -  -  y  -  -  -  y  -
    GET  admin/routing/sensitive/{sensitive}/       -  -  -  -  y  -  -  -  y  -
    POST admin/routing/sensitive/{sensitive}/       -  -  -  -  y  -  -  -  y  -
    GET  admin/cancellations/                       y  y  y  y  y  y  y  -  y  -
    POST admin/cancellations/                       -  -  y  -  y  -  -  -  y  -
    POST admin/cancellations/{block}/end/           -  -  y  -  y  -  -  -  y  -

    # --- onboarding
    GET  admin/onboarding/                          y  y  y  y  y  y  y  -  y  -
    GET  admin/onboarding/{checklist}/              y  y  y  y  y  y  y  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/tick/      -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/skip/      -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/nudge/     -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/escalate/  -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/reassign/  -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/welcome_call/redate/    -  y  y  -  y  -  -  -  y  -
    POST admin/onboarding/{checklist}/end/          -  y  y  -  y  -  -  -  y  -
    GET  admin/onboarding/{checklist}/mail/         y  y  y  y  y  y  y  -  y  -
    POST admin/onboarding/{checklist}/mail/         y  y  y  -  -  -  -  -  y  -
    GET  admin/onboarding/template/                 y  y  y  y  y  y  y  -  y  -
    POST admin/onboarding/template/                 -  -  y  -  -  y  -  -  y  -

    # --- customers to billing
    GET  admin/customers/{customer}/sync/           y  y  y  y  y  y  y  -  y  -
    POST admin/customers/{customer}/sync/           -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/                                y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/start/                          y  y  y  y  y  y  y  -  y  -
    POST admin/sync/start/                          -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/runs/{sync_run}/                y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/runs/{sync_run}/pause/          y  y  y  y  y  y  y  -  y  -
    POST admin/sync/runs/{sync_run}/pause/          -  y  y  y  y  -  -  -  y  -
    POST admin/sync/runs/{sync_run}/resume/         -  y  y  y  y  -  -  -  y  -
    POST admin/sync/runs/{sync_run}/cancel/         -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/runs/{sync_run}/rows/1/choose/  y  y  y  y  y  y  y  -  y  -
    POST admin/sync/runs/{sync_run}/rows/1/choose/  -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/errors/                         y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/errors/csv/                     y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/errors/retry/                   y  y  y  y  y  y  y  -  y  -
    POST admin/sync/errors/retry/                   -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/errors/{sync_error}/            y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/errors/{sync_error}/retry/      y  y  y  y  y  y  y  -  y  -
    POST admin/sync/errors/{sync_error}/assign/     -  y  y  y  y  -  -  -  y  -
    POST admin/sync/errors/{sync_error}/retry/      -  y  y  y  y  -  -  -  y  -
    POST admin/sync/errors/{sync_error}/ignore/     -  y  y  y  y  -  -  -  y  -
    POST admin/sync/errors/{sync_error}/resolve/    -  y  y  y  y  -  -  -  y  -
    GET  admin/sync/profiles/new/                   -  -  -  y  y  -  -  -  y  -
    POST admin/sync/profiles/new/                   -  -  -  y  y  -  -  -  y  -
    GET  admin/sync/profiles/all-customers/         y  y  y  y  y  y  y  -  y  -
    GET  admin/sync/profiles/all-customers/save/    y  y  y  y  y  y  y  -  y  -
    POST admin/sync/profiles/all-customers/save/    -  -  -  y  y  -  -  -  y  -

    # --- portal links, files of links
    GET  admin/portal/                              y  y  y  y  y  y  y  -  y  -
    GET  admin/portal/all/check/                    y  y  y  y  y  y  y  -  y  -
    POST admin/portal/all/check/                    -  y  y  -  y  -  -  -  y  -
    POST admin/portal/all/backfill/                 -  y  y  -  y  -  -  -  y  -
    GET  admin/portal/customers/{customer}/make/    y  y  y  y  y  y  y  -  y  -
    POST admin/portal/customers/{customer}/make/    -  y  y  -  y  -  -  -  y  -
    GET  admin/portal/{portal_link}/renew/          y  y  y  y  y  y  y  -  y  -
    POST admin/portal/{portal_link}/renew/          -  y  y  -  y  -  -  -  y  -
    POST admin/portal/{portal_link}/revoke/         -  y  y  -  y  -  -  -  y  -
    GET  admin/imports/                             -  -  y  y  y  -  y  -  y  -
    POST admin/imports/                             -  -  -  y  y  -  -  -  y  -
    GET  admin/imports/{import}/                    -  -  y  y  y  -  y  -  y  -
    GET  admin/imports/{import}/report/             -  -  y  y  y  -  y  -  y  -
    POST admin/imports/{import}/confirm/            -  -  -  y  y  -  -  -  y  -
    POST admin/imports/{import}/discard/            -  -  -  y  y  -  -  -  y  -
    GET  portal/nobody-has-this/                    -  -  -  -  -  -  -  -  -  -
    GET  portal/nobody-has-this                     -  -  -  -  -  -  -  -  -  -

    # --- connections, the field mapping
    GET  admin/connections/                         y  y  y  y  y  y  y  -  y  -
    GET  admin/connections/stripe/check/            y  y  y  y  y  y  y  -  y  -
    POST admin/connections/stripe/check/            -  -  y  y  y  y  -  -  y  -
    POST admin/connections/stripe/test/             -  -  y  y  y  y  -  -  y  -
    GET  admin/mapping/                             y  y  y  y  y  y  y  -  y  -
    GET  admin/mapping/{mapping}/                   y  y  y  y  y  y  y  -  y  -
    GET  admin/mapping/{mapping}/rows/1/            -  -  -  y  -  -  -  -  y  -
    POST admin/mapping/{mapping}/rows/1/            -  -  -  y  -  -  -  -  y  -
    POST admin/mapping/{mapping}/test/              y  y  y  y  y  y  y  -  y  -
    POST admin/mapping/{live_mapping}/begin/        -  -  -  y  -  -  -  -  y  -
    POST admin/mapping/{mapping}/withdraw/          -  -  -  y  -  -  -  -  y  -
    POST admin/mapping/{mapping}/activate/          -  -  y  -  y  -  -  -  y  -

    # --- gates: one person writes and submits, another one puts in force
    GET  admin/gates/new/                           -  -  -  y  -  -  -  -  y  -
    POST admin/gates/new/                           -  -  -  y  -  -  -  -  y  -
    GET  admin/gates/{gate}/edit/                   -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{gate}/edit/                   -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{gate}/test/                   y  y  y  y  y  y  y  -  y  -
    POST admin/gates/{gate}/submit/                 -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{gate}/withdraw/               -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{gate}/take_back/              -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{gate}/approve/                -  -  y  -  y  -  -  -  y  -
    POST admin/gates/{live_gate}/ask_retire/        -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{live_gate}/keep/              -  -  -  y  -  -  -  -  y  -
    POST admin/gates/{live_gate}/retire/            -  -  y  -  y  -  -  -  y  -

    # --- stop and resume
    GET  admin/stop/                                y  y  y  y  y  y  y  y  y  -
    GET  admin/stop/held/                           y  y  y  y  y  y  y  -  y  -
    GET  admin/stop/engage/                         y  y  y  y  y  y  y  y  y  -
    POST admin/stop/engage/                         y  y  y  y  y  y  y  -  y  -
    POST admin/stop/resume/                         -  -  y  -  y  -  -  -  y  -
    POST admin/stop/confirm/                        -  -  y  -  y  -  -  -  y  -
    POST admin/stop/continue/                       -  -  y  -  y  -  -  -  y  -

    GET  admin/slack/link/                          -  -  -  -  -  -  -  -  y  -
    POST admin/slack/link/                          -  -  -  -  -  -  -  -  y  -
    GET  admin/slack/accounts/{sync/slackaccount}/unlink/   y  y  y  y  y  y  y  -  y  -
    POST admin/slack/accounts/{sync/slackaccount}/unlink/   -  -  -  -  -  -  -  -  y  -

    # --- evidence
    GET  admin/onboarding/report/                   y  y  y  y  y  y  y  -  y  -
    GET  metrics                                    y  y  y  y  y  y  y  -  y  -
    GET  admin/workers/                             -  y  y  y  y  -  y  -  y  -
    GET  admin/ledger/chain/{thread}/               y  y  y  y  y  y  y  -  y  -
    GET  admin/ledger/extract/                      y  y  y  y  y  y  y  -  y  -
    GET  admin/ledger/verify/                       y  y  y  y  y  y  y  -  y  -
    POST admin/ledger/verify/                       y  y  y  y  y  y  y  -  y  -
    POST admin/ledger/export/                       -  -  y  -  y  -  y  -  y  -

    # --- people and groups: set-up, by superusers
    GET  admin/auth/                                y  y  y  y  y  y  y  y  y  -
    GET  admin/auth/user/                           -  -  -  -  -  -  -  -  y  -
    POST admin/auth/user/                           -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/user/add/                       -  -  -  -  -  -  -  -  y  -
    POST admin/auth/user/add/                       -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/user/{user}/change/             -  -  -  -  -  -  -  -  y  -
    POST admin/auth/user/{user}/change/             -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/user/{user}/history/            -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/user/{user}/delete/             -  -  -  -  -  -  -  -  y  -
    POST admin/auth/user/{user}/delete/             -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/user/{user}/                    y  y  y  y  y  y  y  y  y  -
    GET  admin/auth/user/{user}/password/           -  -  -  -  -  -  -  -  y  -
    POST admin/auth/user/{user}/password/           -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/                          -  -  -  -  -  -  -  -  y  -
    POST admin/auth/group/                          -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/add/                      -  -  -  -  -  -  -  -  y  -
    POST admin/auth/group/add/                      -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/{group}/change/           -  -  -  -  -  -  -  -  y  -
    POST admin/auth/group/{group}/change/           -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/{group}/history/          -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/{group}/delete/           -  -  -  -  -  -  -  -  y  -
    POST admin/auth/group/{group}/delete/           -  -  -  -  -  -  -  -  y  -
    GET  admin/auth/group/{group}/                  y  y  y  y  y  y  y  y  y  -
    POST admin/logout/                              y  y  y  y  y  y  y  y  y  y

    # --- probes and deliveries: no session; a delivery without a signature is refused whoever is signed in
    GET  healthz                                    y  y  y  y  y  y  y  y  y  y
    GET  readyz                                     y  y  y  y  y  y  y  y  y  y
    POST webhooks/stripe/                           -  -  -  -  -  -  -  -  -  -
    POST webhooks/slack/interactions/               -  -  -  -  -  -  -  -  -  -
    POST webhooks/slack/events/                     -  -  -  -  -  -  -  -  -  -
    POST webhooks/stripe                            -  -  -  -  -  -  -  -  -  -
"""

NOBODY = "-" * len(WHO)
SIGNED_IN = "yyyyyyyyy-"


class Line(NamedTuple):
    """One operation and who may do it."""

    method: str
    address: str
    marks: str

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


def lines():
    """Every operation of the table."""
    return [
        *records(),
        *read(PAGES),
        *read(INCIDENTS),
        *read(TICKETS),
        *read(ROLLOUT),
        *read(GOVERNANCE),
        *read(DISPUTES),
        *read(KPIS),
        *read(API),
    ]


def read(table):
    """The lines of a table in words."""
    for text in table.splitlines():
        parts = text.split()
        if not parts or parts[0] in ("#", "Su"):
            continue
        method, address, *marks = parts
        assert len(marks) == len(WHO), f"{len(marks)} marks instead of {len(WHO)}: {text}"
        yield Line(method, address, "".join(marks))


def records():
    """What follows from each line of RECORDS: nobody adds, changes or removes a record, superusers included."""
    for text in RECORDS.splitlines():
        name, *marks = text.split() or [""]
        if not name or name == "Su":
            continue
        base, one, may = f"admin/{name}/", f"admin/{name}/{{{name}}}/", "".join(marks)
        yield from (Line("GET", base, may), Line("POST", base, may), Line("GET", f"{one}change/", may))
        yield from (Line("GET", f"{one}history/", may), Line("GET", one, SIGNED_IN))  # the last one only redirects
        yield from (Line("GET", f"{base}add/", NOBODY), Line("POST", f"{base}add/", NOBODY))
        yield from (Line("POST", f"{one}change/", NOBODY), Line("POST", f"{one}history/", NOBODY))
        yield from (Line("GET", f"{one}delete/", NOBODY), Line("POST", f"{one}delete/", NOBODY))
