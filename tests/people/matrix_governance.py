"""Lines of the matrix about back-tests, shadow reports, drills of the stop and reviews; see `tests.people.matrix`."""

GOVERNANCE = """
                                                    Su Re Ma En Le Pr Au no su in
    GET  admin/backtests/                           y  y  y  y  y  y  y  -  y  -
    GET  admin/backtests/start/                     y  y  y  y  y  y  y  -  y  -
    POST admin/backtests/start/                     -  -  y  y  y  -  -  -  y  -
    GET  admin/backtests/{backtest}/                y  y  y  y  y  y  y  -  y  -
    GET  admin/backtests/{backtest}/cancel/         y  y  y  y  y  y  y  -  y  -
    POST admin/backtests/{backtest}/cancel/         -  -  y  y  y  -  -  -  y  -
    GET  admin/gamedays/                            y  y  y  y  y  y  y  -  y  -
    GET  admin/gamedays/start/                      y  y  y  y  y  y  y  -  y  -
    POST admin/gamedays/start/                      -  -  -  -  y  -  -  -  y  -
    GET  admin/gamedays/{gameday}/                  y  y  y  y  y  y  y  -  y  -
    GET  admin/shadow/                              y  y  y  y  y  y  y  -  y  -
    GET  admin/shadow/{automation}/                 y  y  y  y  y  y  y  -  y  -
    GET  admin/audits/                              y  y  y  y  y  y  y  -  y  -
    GET  admin/audits/{audit}/                      y  y  y  y  y  y  y  -  y  -
    GET  admin/audits/{audit}/rows/1/               y  y  y  y  y  y  y  -  y  -
    POST admin/audits/{audit}/rows/1/               -  y  y  y  y  y  -  -  y  -
    GET  admin/audits/{audit}/close/                y  y  y  y  y  y  y  -  y  -
    POST admin/audits/{audit}/close/                -  y  y  y  y  y  -  -  y  -
    POST admin/audits/{audit}/assign/               -  y  y  y  y  y  -  -  y  -
"""
