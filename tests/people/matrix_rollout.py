"""Who may do what with automations; the columns are those of `matrix`. Dunning has no person as owner."""

ROLLOUT = """
                                                    Su Re Ma En Le Pr Au no su in
    # --- automations
    GET  admin/automations/triage/                  y  y  y  y  y  y  y  -  y  -
    GET  admin/automations/dunning/diagnose/        y  y  y  y  y  y  y  -  y  -
    GET  admin/automations/dunning/previews/        y  y  y  y  y  y  y  -  y  -
    POST admin/automations/dunning/previews/        -  y  y  -  y  -  -  -  y  -
    GET  admin/automations/dunning/edit/            -  -  -  y  -  -  -  -  y  -
    POST admin/automations/dunning/edit/            -  -  -  y  -  -  -  -  y  -
    GET  admin/automations/dunning/step/            y  y  y  y  y  y  y  -  y  -
    POST admin/automations/dunning/step/            -  -  -  -  y  -  -  -  y  -
    POST admin/automations/dunning/segment/         -  -  -  -  y  -  -  -  y  -
    POST admin/automations/dunning/pause/           -  y  y  -  y  -  -  -  y  -
    POST admin/automations/dunning/sign_off/        -  -  -  -  -  -  -  -  -  -
    POST admin/automations/dunning/quarantine/      -  y  y  -  y  -  -  -  y  -
    GET  api/v1/automations/                        y  y  y  y  y  y  y  -  y  -
    POST api/v1/automations/dunning/step/           -  -  -  -  y  -  -  -  y  -
    POST api/v1/automations/dunning/pause/          -  y  y  -  y  -  -  -  y  -
    POST api/v1/automations/dunning/sign-off/       -  -  -  -  -  -  -  -  -  -
"""
