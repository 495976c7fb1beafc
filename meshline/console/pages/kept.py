"""The pages of what is kept and what is forgotten: erasures, and checks of how true stored facts are."""

from django.http import HttpRequest
from django.urls import reverse

from ledger import cells
from ledger.readonly import page_of
from meshline.console.page import Block, Page
from sync import accuracy
from sync.models import ContextCheck, Erasure


def erasure(request: HttpRequest, record: Erasure) -> Page:
    """Who asked, how far it came, and how many rows of each table lost something."""
    one = Erasure.objects.select_related("asked_by", "customer").get(pk=record.pk)
    is_done = one.state == Erasure.State.DONE
    return Page(
        title=f"Erasure {one.pk}",
        sentence="Nothing of the person is left here; the ledger, which had none of it, is whole."
        if is_done
        else "Something of the customer is being sent. It is done by itself when that has ended.",
        tag=cells.tag("applied" if is_done else "waiting", one.get_state_display()),
        line=[
            ("Customer", page_of(one.customer, one.customer.external_id)),
            ("Asked", cells.moment(one.asked_at)),
            ("By", cells.theirs(one.asked_by.get_username(), 60)),
            ("Due", cells.moment(one.due_at)),
            ("Done", cells.moment(one.done_at) if one.done_at else cells.dash()),
        ],
        main=[
            Block("Why", text=cells.plain(one.reason, 200), empty="No reason was given."),
            Block(
                "Rows that lost something",
                columns=("Table", "Rows"),
                rows=[(cells.code(table), f"{count:,}") for table, count in sorted(one.counts.items())],
                empty="None yet.",
            ),
        ],
        back=(reverse("admin:sync_erasure_changelist"), "Erasures"),
    )


def context_check(request: HttpRequest, one: ContextCheck) -> Page:
    """What was compared, field by field."""
    share = accuracy.share(one.fields)
    return Page(
        title=f"Context check {one.pk}",
        sentence=accuracy.words(one),
        tag=cells.tag("active" if share == 1 else "held", "Alike" if share == 1 else "Look at it"),
        line=[
            ("Began", cells.moment(one.began_at)),
            ("Took", cells.length(one.ended_at - one.began_at)),
            ("Contracts", f"{one.sampled:,}"),
            ("Blocks that could not be read", f"{one.unread:,}"),
        ],
        main=[
            Block(
                "Field by field",
                columns=("Field", "Compared", "Alike"),
                rows=[
                    (cells.code(name), f"{count:,}", f"{equal / count:.1%}" if count else cells.dash())
                    for name, (count, equal) in sorted(one.fields.items(), key=lambda row: row[1][1] - row[1][0])
                ],
                empty="Nothing was compared: no stored facts, or no system answered.",
                wide=True,
            )
        ],
        back=(reverse("admin:sync_contextcheck_changelist"), "Context checks"),
    )
