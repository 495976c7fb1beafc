"""Working time across zones, nights on which the clocks change, weekends and holidays."""

import datetime as dt
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates import hours
from gates.hours import Hours

NINE_TO_FIVE = ((540, 1020),)
OFFICE = Hours("UTC", (NINE_TO_FIVE,) * 5 + ((), ()))
ROUND = ((0, 1440),)


def always(zone):
    return Hours(zone, (ROUND,) * 7)


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-03-02 10:00", 60, "2026-03-02 11:00"),
        ("2026-03-02 16:30", 60, "2026-03-03 09:30"),
        ("2026-03-02 07:00", 60, "2026-03-02 10:00"),
        ("2026-03-02 09:00", 480, "2026-03-02 17:00"),
        ("2026-03-02 17:00", 1, "2026-03-03 09:01"),
        ("2026-03-06 16:00", 120, "2026-03-09 10:00"),
        ("2026-03-07 12:00", 30, "2026-03-09 09:30"),
        ("2026-03-07 12:00", 0, "2026-03-07 12:00"),
    ],
)
def test_working_minutes_are_added_over_nights_and_weekends(start, minutes, end):
    assert hours.add(at(start), minutes, OFFICE) == at(end)


def test_a_holiday_is_not_worked():
    calendar = Hours("UTC", OFFICE.week, frozenset({dt.date(2026, 12, 25), dt.date(2026, 12, 28)}))

    assert hours.add(at("2026-12-24 16:00"), 120, calendar) == at("2026-12-29 10:00")


def test_without_a_calendar_every_minute_counts():
    assert hours.add(at("2026-03-07 12:00"), 1440, None) == at("2026-03-08 12:00")
    assert hours.between(at("2026-03-07 12:00"), at("2026-03-07 12:30"), None) == timedelta(minutes=30)


def test_hours_are_those_of_the_calendars_own_zone():
    calendar = Hours("Asia/Kolkata", OFFICE.week)

    assert hours.add(at("2026-03-02 01:00"), 30, calendar) == at("2026-03-02 04:00"), "09:00 there is 03:30 UTC"


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Europe/Berlin", "2026-03-29", 23 * 60),
        ("Europe/Berlin", "2026-10-25", 25 * 60),
        ("America/New_York", "2026-03-08", 23 * 60),
        ("America/New_York", "2026-11-01", 25 * 60),
        ("America/Sao_Paulo", "2018-11-04", 23 * 60),
        ("America/Havana", "2026-11-01", 25 * 60),
        ("Australia/Lord_Howe", "2026-04-05", 24 * 60 + 30),
        ("Pacific/Apia", "2011-12-30", 0),
    ],
)
def test_a_day_on_which_the_clocks_change_has_the_minutes_it_has(zone, day, minutes):
    first = dt.date.fromisoformat(day)
    only = Hours(zone, tuple(ROUND if n == first.weekday() else () for n in range(7)))
    start = datetime.combine(first, dt.time(12), UTC) - timedelta(days=3)

    assert hours.between(start, start + timedelta(days=6), only) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("day", "span", "minutes"),
    [
        ("2026-03-29", (60, 180), 60),
        ("2026-03-29", (150, 240), 60),
        ("2026-03-29", (125, 170), 0),
        ("2026-10-25", (120, 180), 120),
        ("2026-10-25", (60, 150), 150),
    ],
    ids=["ends with the gap", "begins in the gap", "lies in the gap", "comes twice", "ends in what comes twice"],
)
def test_hours_in_the_night_of_the_change(day, span, minutes):
    calendar = Hours("Europe/Berlin", ((),) * 6 + ((span,),))
    start = at(f"{day} 00:00", "Europe/Berlin")

    assert hours.between(start, start + timedelta(days=2), calendar) == timedelta(minutes=minutes)


def test_due_on_the_night_of_the_change_is_the_same_hour_of_work():
    night = Hours("Europe/Berlin", (ROUND,) * 7)

    assert hours.add(at("2026-03-28 23:00", "Europe/Berlin"), 4 * 60, night) == at("2026-03-29 04:00", "Europe/Berlin")
    second_two = at("2026-10-25 01:00")
    assert hours.add(at("2026-10-24 23:00", "Europe/Berlin"), 4 * 60, night) == second_two


ZONES = st.sampled_from(
    "UTC Europe/Berlin America/New_York America/Havana Asia/Kolkata Australia/Lord_Howe Pacific/Apia".split()
)
MOMENTS = st.integers(0, 21 * 365 * 24 * 60).map(lambda minutes: at("2010-01-01") + timedelta(minutes=minutes))


@st.composite
def calendars(draw):
    def day():
        edges = sorted(draw(st.sets(st.integers(0, 1440), max_size=4)))
        return tuple(zip(edges[::2], edges[1::2], strict=False))

    week = tuple(day() for _ in range(7))
    free = draw(st.frozensets(st.dates(dt.date(2010, 1, 1), dt.date(2031, 1, 1)), max_size=5))
    return Hours(draw(ZONES), (NINE_TO_FIVE, *week[1:]), free)


@settings(max_examples=150, deadline=None)
@given(calendars(), MOMENTS, st.integers(1, 20_000))
def test_what_was_added_lies_between(calendar, start, minutes):
    end = hours.add(start, minutes, calendar)

    assert end > start
    assert hours.between(start, end, calendar) == timedelta(minutes=minutes)
    assert hours.between(start, end - timedelta(minutes=1), calendar) == timedelta(minutes=minutes - 1)


@settings(max_examples=150, deadline=None)
@given(calendars(), MOMENTS, st.integers(0, 5000), st.integers(0, 5000))
def test_adding_twice_is_adding_the_sum(calendar, start, first, second):
    assert hours.add(hours.add(start, first, calendar), second, calendar) == hours.add(start, first + second, calendar)


@settings(max_examples=150, deadline=None)
@given(calendars(), MOMENTS, st.integers(1, 5000))
def test_going_back_undoes_adding(calendar, end, minutes):
    start = hours.back(end, timedelta(minutes=minutes), calendar)

    assert start < end
    assert hours.between(start, end, calendar) == timedelta(minutes=minutes)


@settings(max_examples=60, deadline=None)
@given(ZONES, MOMENTS, st.integers(1, 100_000))
def test_a_calendar_without_rest_is_the_clock(zone, start, minutes):
    if zone == "Pacific/Apia" and start.year == 2011:
        return  # its 30 December never was, on any clock
    assert hours.add(start, minutes, always(zone)) == start + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"), ({"zone": "../etc/passwd"}, "zone"), ({"zone": ""}, "zone"),
        ({"week": []}, "week"), ({"week": [[]] * 7}, "week"), ({"week": [[[540, 540]]] + [[]] * 6}, "week"),
        ({"week": [[[0, 1441]]] + [[]] * 6}, "week"), ({"week": [[[540, 720], [700, 900]]] + [[]] * 6}, "week"),
        ({"week": [[[540, "x"]]] + [[]] * 6}, "week"), ({"holidays": ["2026-02-30"]}, "holidays"),
        ({"holidays": ["2026-01-01"] * 401}, "holidays"),
    ],
)  # fmt: skip
def test_a_calendar_nobody_could_work_by_is_refused(wrong, field):
    stored = {"zone": "UTC", "week": [[[540, 1020]]] * 5 + [[], []], "holidays": ["2026-12-25"]}
    assert hours.read(stored).week == OFFICE.week

    with pytest.raises(hours.Unusable) as no:
        hours.read(stored | wrong)

    assert no.value.field == field
