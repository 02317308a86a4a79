# One image for every process; docker-compose.yml says which container is what.
FROM python:3.13-slim AS packages
RUN python -m venv /venv
COPY requirements/base.txt .
RUN /venv/bin/pip install --disable-pip-version-check --no-cache-dir --require-hashes -r base.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent stalkerr
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=stalkerr.settings.production \
    HOST=0.0.0.0 PORT=8000 FLOWER_ADDRESS=0.0.0.0:5555
# Static files are the same everywhere; production settings want to hear of secrets and servers
# that play no part in collecting them.
RUN python -m compileall -q . \
    && SECRET_KEY=- JWT_KEY=- METRICS_TOKEN=- FLOWER_PASSWORD=- CHANNEL_KEYS=- \
       ALLOWED_HOSTS=- PUBLIC_URL=- DATABASE_URL=postgres://- BROKER_URL=redis://- CACHE_URL=redis://- \
       python manage.py collectstatic --no-input --verbosity 0
# Nothing below is writable for it, and nothing has to be.
USER stalkerr
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "-c", "import os, urllib.parse as p, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:' + os.environ['PORT'] + '/health', headers={'Host': p.urlsplit(os.environ['PUBLIC_URL']).netloc}), timeout=8)"]
CMD ["scripts/start", "web"]
