"""How Django finds the project, and what it does when everything is loaded."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import import_string


class MeshlineConfig(AppConfig):
    """The project: settings, console, commands and schedules."""

    name = "meshline"
    verbose_name = "Meshline"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks and what follows a migrate; by name, since models load only now."""
        import_string("meshline.checks.register")()
        import_string("meshline.sessions.connect")()
        # Django sends the signal only for apps with models, so this hangs on the app whose table it fills.
        queue = apps.get_app_config("django_q")
        post_migrate.connect(import_string("meshline.install.install"), sender=queue, dispatch_uid="install")
