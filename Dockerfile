# One image for every process; docker-compose.yml says which container is what.
# Versions are pinned by tag. To pin them for good, add the digest of the image you have checked:
# `docker buildx imagetools inspect python:3.13.9-slim-trixie` shows it, FROM name:tag@sha256:… takes it.
FROM python:3.13.9-slim-trixie AS packages
RUN python -m venv /venv
COPY requirements/base.txt .
RUN /venv/bin/pip install --disable-pip-version-check --no-cache-dir --require-hashes -r base.txt

# Between the processes and PostgreSQL, for many of them (profile large).
FROM debian:trixie-slim AS pgbouncer
RUN apt-get update \
    && apt-get install --yes --no-install-recommends pgbouncer postgresql-client \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/pgbouncer/pgbouncer.ini /etc/pgbouncer/pgbouncer.ini
USER postgres
EXPOSE 6432
CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]

FROM python:3.13.9-slim-trixie
# The tools of the server's major version, for backups: PostgreSQL 17, as in docker-compose.yml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --home-dir /nonexistent stalkerr \
    && install --directory --owner=stalkerr --mode=0700 /backups
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=stalkerr.settings.production \
    BACKUP_DIR=/backups HOST=0.0.0.0 PORT=8000 FLOWER_ADDRESS=0.0.0.0:5555
# Static files are the same everywhere; production settings want to hear of secrets and servers
# that play no part in collecting them.
RUN python -m compileall -q . \
    && SECRET_KEY=- JWT_KEY=- METRICS_TOKEN=- FLOWER_PASSWORD=- CHANNEL_KEYS=- \
       ALLOWED_HOSTS=- PUBLIC_URL=- DATABASE_URL=postgres://- BROKER_URL=redis://- CACHE_URL=redis://- \
       python manage.py collectstatic --no-input --verbosity 0
# Nothing but the folder of backups is writable for it, and nothing has to be.
USER stalkerr
EXPOSE 8000
# Asked under its public name, which ALLOWED_HOSTS has.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "-c", "import os, urllib.parse as p, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:' + os.environ['PORT'] + '/health', headers={'Host': p.urlsplit(os.environ['PUBLIC_URL']).netloc}), timeout=8)"]
CMD ["scripts/start", "web"]
