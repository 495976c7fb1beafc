"""Lines of the matrix about key figures; see `tests.people.matrix`."""

KPIS = """
                                                    Su Re Ma En Le Pr Au no su in
    GET  admin/kpis/                                y  y  y  y  y  y  y  -  y  -
    GET  admin/kpis/csv/                            y  y  y  y  y  y  y  -  y  -
    POST admin/kpis/csv/                            -  -  y  -  y  -  y  -  y  -
    GET  admin/kpis/sla_met/                        y  y  y  y  y  y  y  -  y  -
    GET  admin/kpis/refunds/                        -  -  y  -  y  -  y  -  y  -
    GET  admin/kpis/sla_met/note/                   y  y  y  y  y  y  y  -  y  -
    POST admin/kpis/sla_met/note/                   -  y  y  y  y  y  -  -  y  -
    POST admin/kpis/sla_met/target/                 -  -  y  -  y  -  -  -  y  -
    GET  api/v1/kpis/                               y  y  y  y  y  y  y  -  y  -
"""
