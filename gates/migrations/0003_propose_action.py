"""The permission to ask for an action."""

from django.db import migrations

PERMISSIONS = [
    ("claim_item", "Can claim, release and comment on review items"),
    ("approve_item", "Can approve up to the first limit"),
    ("approve_above_limit", "Can approve above the first limit"),
    ("reject_item", "Can reject"),
    ("retry_item", "Can retry failed actions and look up unknown ones"),
    ("propose_action", "Can ask for an action"),
]


class Migration(migrations.Migration):
    dependencies = [("gates", "0002_views")]
    operations = [
        migrations.AlterModelOptions(
            name="reviewitem", options={"ordering": ["due_at", "id"], "permissions": PERMISSIONS}
        )
    ]
