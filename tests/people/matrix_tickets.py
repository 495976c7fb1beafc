"""Lines of the matrix about ticket kinds and notes on tickets; see `tests.people.matrix`."""

TICKETS = """
                                                    Su Re Ma En Le Pr Au no su in
    GET  admin/tickets/                             y  y  y  y  y  y  y  -  y  -
    GET  admin/tickets/kinds/invoice-copy/          y  y  y  y  y  y  y  -  y  -
    POST admin/tickets/kinds/invoice-copy/          -  -  y  -  -  y  -  -  y  -
    POST admin/review/{in_review}/ticket-note/write/ y  y  y  -  -  -  -  -  y  -
"""
