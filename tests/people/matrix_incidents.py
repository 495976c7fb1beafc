"""Lines of the matrix about incidents, their updates, messages and services; see `tests.people.matrix`."""

INCIDENTS = """
                                                    Su Re Ma En Le Pr Au no su in
    GET  admin/incidents/                           y  y  y  y  y  y  y  -  y  -
    POST admin/incidents/declare/                   -  -  y  -  -  y  -  -  y  -
    GET  admin/incidents/{incident}/                y  y  y  y  y  y  y  -  y  -
    POST admin/incidents/{incident}/rescope/        -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/plan/           -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/mitigate/       -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/reopen/         -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/take/           -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/close/          -  -  y  -  -  y  -  -  y  -
    GET  admin/incidents/{incident}/updates/1/      y  y  y  y  y  y  y  -  y  -
    POST admin/incidents/{incident}/updates/1/ask/  -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/take_back/  -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/drop/ -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/rewrite/  -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/skip/ -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/include/  -  -  y  -  -  y  -  -  y  -
    POST admin/incidents/{incident}/updates/1/approve/  -  -  y  -  y  y  -  -  y  -
    GET  admin/incidents/messages/incident-update/  y  y  y  y  y  y  y  -  y  -
    POST admin/incidents/messages/incident-update/  -  -  y  -  -  y  -  -  y  -
    GET  admin/alerts/                              y  y  y  y  y  y  y  -  y  -
    GET  admin/alerts/rules/                        y  y  y  y  y  y  y  -  y  -
    GET  admin/alerts/{alert}/                      y  y  y  y  y  y  y  -  y  -
    GET  admin/alerts/{alert}/acknowledge/          y  y  y  y  y  y  y  -  y  -
    POST admin/alerts/{alert}/acknowledge/          y  y  y  y  y  y  -  -  y  -
    GET  admin/claims/                              y  y  y  y  y  y  y  -  y  -
    GET  admin/claims/{claim_check}/                y  y  y  y  y  y  y  -  y  -
    POST admin/claims/verify/                       y  y  y  y  y  y  -  -  y  -
    GET  admin/incidents/services/                  y  y  y  y  y  y  y  -  y  -
    POST admin/incidents/services/                  -  -  y  y  -  y  -  -  y  -
"""
