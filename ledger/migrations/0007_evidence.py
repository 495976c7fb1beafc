"""What people look for in the ledger: what a provider confirmed, what people did; exporting it is a right of its own.

Both indexes are partial, so that the worker's rows pay for neither but its confirmations for one; they are built while
rows are written.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0006_people_decide")]

    operations = [
        migrations.AlterModelOptions(
            name="ledgerrow",
            options={"ordering": ["-id"], "permissions": [("export_ledger", "Can export ledger rows")]},
        ),
        AddIndexConcurrently(
            model_name="ledgerrow",
            index=models.Index(
                condition=models.Q(("confirmation_id", ""), _negated=True),
                fields=["confirmation_id"],
                name="row_confirmed",
            ),
        ),
        AddIndexConcurrently(
            model_name="ledgerrow",
            index=models.Index(condition=models.Q(("actor__startswith", "user:")), fields=["id"], name="row_people"),
        ),
    ]
