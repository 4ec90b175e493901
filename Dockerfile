# One image for every process; which one it is says the command (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /srv/kzfleet
COPY requirements.lock ./
RUN python -m venv /opt/kzfleet \
    && /opt/kzfleet/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /opt/kzfleet/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && KZFLEET_STATIC_ROOT=/srv/static /opt/kzfleet/bin/python manage.py collectstatic --noinput

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/kzfleet --create-home kzfleet
COPY --from=build /opt/kzfleet /opt/kzfleet
COPY --from=build /srv /srv
WORKDIR /srv/kzfleet
ENV PATH=/opt/kzfleet/bin:$PATH PYTHONUNBUFFERED=1 \
    PYTHONPATH=/srv/kzfleet KZFLEET_VAR=/var/lib/kzfleet KZFLEET_STATIC_ROOT=/srv/static
USER kzfleet
CMD ["uvicorn", "kzfleet.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--no-access-log", "--log-config", "kzfleet/uvicorn.json"]
