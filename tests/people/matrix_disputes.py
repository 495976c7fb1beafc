"""Lines of the matrix about disputes; see `tests.people.matrix`."""

DISPUTES = """
                                                    Su Re Ma En Le Pr Au no su in
    GET  admin/disputes/                            y  y  y  y  y  y  y  -  y  -
    GET  admin/disputes/{dispute}/                  y  y  y  y  y  y  y  -  y  -
    GET  api/v1/disputes/                           y  y  y  y  y  y  y  -  y  -
"""
