# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
# No development groups: neither the embedded database nor test tools belong on a real host.
RUN uv sync --frozen --no-default-groups
COPY . .
# Static files are named by their content, so they are made once, here. The key signs nothing and stays in this stage.
RUN MESHLINE_DEV=0 MESHLINE_STATIC_ROOT=/app/static MESHLINE_ALLOWED_HOSTS=build.invalid \
    DATABASE_URL=postgres://build@build.invalid/build \
    SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
    .venv/bin/python manage.py collectstatic --noinput

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin meshline
WORKDIR /app
COPY --from=build /app /app
RUN install -d -o meshline -g meshline /run/meshline
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MESHLINE_STATIC_ROOT=/app/static MESHLINE_LOCAL_DIR=/run/meshline MESHLINE_PID_DIR=/run/meshline
USER meshline
EXPOSE 8000
HEALTHCHECK NONE
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "web", "--host", "0.0.0.0", "--port", "8000"]
