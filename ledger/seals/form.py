"""The canonical form of a row and of a seal, in SQL; `ledger.offline_check` says in words and in Python what it is."""

from ledger.offline_check import COLUMNS

TABLE = "ledger_ledgerrow"


def time_text(value: str) -> str:
    """A time in UTC with six digits; what no calendar shows (infinity, years before Christ) as PostgreSQL writes it."""
    shown = f"""to_char({value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return (
        f"case when {value} >= '0001-01-01Z'::timestamptz and {value} < '10000-01-01Z'::timestamptz then {shown}"
        f" else extract(epoch from {value})::text end"
    )


def column_text(name: str, kind: str, row: str = "r") -> str:
    """A column as the text that is sealed."""
    return time_text(f"{row}.{name}") if kind == "time" else f"{row}.{name}::text"


def netstrings(texts: list[str]) -> str:
    """Texts as one bytea, each with its length in front; what is null is `-,`."""
    parts = " || ".join(f"coalesce(octet_length({text}) || ':' || {text} || ',', '-,')" for text in texts)
    return f"convert_to({parts}, 'UTF8')"


_TEXTS = ", ".join(f"{column_text(name, kind)} as {name}" for name, kind in COLUMNS.items())
ROW_BYTES = netstrings([f"t.{name}" for name in COLUMNS])
ENTRIES = f"string_agg(int8send(t.row_id) || sha256({ROW_BYTES}), ''::bytea order by t.row_id)"


def texts(where: str) -> str:
    """Rows as texts, each made once: a subquery named `t`. `where` may use `r`."""
    return f"(select r.id as row_id, {_TEXTS} from {TABLE} r where {where} offset 0) t"


def seal_digest(seal: str, *, rows: str = "") -> str:
    """The digest of a seal with the columns of LedgerSeal; `rows` is the digest of its list of rows."""
    head = netstrings([
        f"{seal}.id::text", f"{seal}.first_row::text", f"{seal}.last_row::text", f"{seal}.row_count::text",
        f"{seal}.row_format::text", time_text(f"{seal}.sealed_at"),
    ])  # fmt: skip
    return f"sha256({head} || coalesce({seal}.previous, ''::bytea) || {rows or f'sha256({seal}.row_digests)'})"
