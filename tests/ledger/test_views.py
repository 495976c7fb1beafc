"""The five views that auditors, BI and drills read: these columns stay."""

import pytest
from django.db import DatabaseError, connection, transaction

VIEWS = {
    "meshline_events": """id source account provider_event_id type kind object_id state verdict late correlation_id
        occurred_at received_at enqueued_at done_at attempts crashes deliveries customer_external_id""",
    "meshline_actions": """id kind provider automation mode state state_version target business_key event_id
        correlation_id key amount_minor currency tries looks available_at created_at sent_at applied_at confirmation_id
        reverses_id last_error rule_version customer_external_id contract_external_id""",
    "meshline_ledger": """id event_id action_id decision actor prior_state post_state correlation_id applied_at
        subject_kind subject_id state_version recorded_at reasons inputs rule_version mode key confirmation_id outcome
        latency_ms error_code amount_minor currency""",
    "meshline_review_items": """id action_id event_id kind state sentence why reason owner_group due_at amount_minor
        currency correlation_id resolution created_at resolved_at customer_external_id""",
    "meshline_stop": "scope state reason stopped_at resume_asked_at resumed_at state_version",
}


@pytest.mark.django_db
@pytest.mark.parametrize("view", VIEWS)
def test_columns(view):
    with connection.cursor() as cursor:
        cursor.execute(f"select * from {view}")

        assert [column.name for column in cursor.description] == VIEWS[view].split()


@pytest.mark.django_db
@pytest.mark.parametrize("view", VIEWS)
def test_views_are_for_reading(view):
    column = VIEWS[view].split()[0]
    for statement in (f"delete from {view}", f"update {view} set {column} = {column}"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
