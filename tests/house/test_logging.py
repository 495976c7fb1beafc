"""One event, one line: data cannot forge a line or paint a terminal."""

import io
import json
import logging.config

import pytest
import structlog

from meshline import conf_logging


@pytest.fixture
def lines():
    """What production writes, line by line."""
    stream = io.StringIO()
    config = conf_logging.configure(readable=False, level="INFO")
    handler = logging.StreamHandler(stream)
    formatter = dict(config["formatters"]["line"])
    handler.setFormatter(formatter.pop("()")(**formatter))
    logger = logging.getLogger("trial")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    structlog.contextvars.clear_contextvars()


def test_line_ends_in_data_stay_inside_the_line(lines):
    structlog.get_logger("trial").warning("delivery_refused", reason='x\n{"event": "forged"}\r\x1b[31m\u2028end')

    assert [line["reason"] for line in lines()] == ['x\\x0a{"event": "forged"}\\x0d\\x1b[31m\\x2028end']


def test_lines_of_libraries_look_the_same(lines):
    logging.getLogger("trial").warning("asked for %s", "a\nb")

    assert [(line["event"], line["level"]) for line in lines()] == [("asked for a\\x0ab", "warning")]


def test_correlation_id_is_on_each_line(lines):
    structlog.contextvars.bind_contextvars(correlation_id="c-1")
    structlog.get_logger("trial").warning("action_applied")

    assert [line["correlation_id"] for line in lines()] == ["c-1"]
