"""The admin site: Django's own machinery under our shell, with pages for records instead of forms."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from meshline.console import find, home, pages, shell, stop_page, verbs, workers

STOPPED_HEADER = "X-Meshline-Stopped"
FOREIGN = ("django_q", "simple_history")  # their pages edit what only code may edit (reliability D7)


class ConsoleSite(admin.AdminSite):
    """The console. Verbs go through `gates.review` and `gates.stop`; nothing is edited here but people and groups."""

    site_header = site_title = "Meshline"
    index_title = "Home"
    site_url = ""
    index_template = "console/home.html"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        """Deleting many rows at once is off everywhere."""
        super().__init__(name)
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take no page of a library that lets people edit jobs or schedules."""
        wanted: list[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        ours = [model for model in wanted if model._meta.app_label not in FOREIGN]
        super().register(ours, admin_class, **options)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Our pages before Django's."""
        return [*(self._page(*one) for one in ROUTES), *super().get_urls()]

    def _page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        @wraps(view)
        def on_site(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return view(self, request, *args, **kwargs)

        return path(route, self.admin_view(on_site), name=name)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Sign-in, CSRF and no caching as ever, and the stop said in a header of every answer."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def said(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response = guarded(request, *args, **kwargs)
            if request.user.is_authenticated and shell.stop_state(request).on:
                response[STOPPED_HEADER] = "1"
            return response

        return said

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's own plus the shell."""
        return {**super().each_context(request), **shell.context(request)}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Home."""
        return self.draw(request, "console/home.html", {"title": "Home", **home.context(request)})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Nobody works by app: Home is the index."""
        return HttpResponseRedirect(reverse("admin:index"))

    def draw(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int | None = None
    ) -> TemplateResponse:
        """A page of ours inside the shell."""
        request.current_app = self.name
        return TemplateResponse(request, template, {**self.each_context(request), **context}, status=status)

    def show(
        self, request: HttpRequest, record: models.Model, *, status: int | None = None, **more: Any
    ) -> HttpResponse:
        """The page of one record."""
        page = pages.build(request, record)
        return self.draw(request, page.template, {"title": page.title, "page": page, **more}, status)


def keys(site: ConsoleSite, request: HttpRequest) -> HttpResponse:
    """The keys as a page, for browsers without scripts."""
    return site.draw(request, "console/keys.html", {"title": "Keys and help"})


ROUTES: tuple[tuple[str, Callable[..., HttpResponse], str], ...] = (
    ("find/", find.view, "find"),
    ("keys/", keys, "keys"),
    ("workers/", workers.view, "workers"),
    ("stop/", stop_page.view, "stop"),
    ("stop/<slug:verb>/", stop_page.act, "stop_verb"),
    ("review/<int:item_id>/<slug:verb>/", verbs.act, "review_verb"),
    ("events/<int:event_id>/replay/", verbs.replay, "event_replay"),
    ("events/<int:event_id>/bodies/<int:body_id>/", pages.event.download, "event_body"),
)
