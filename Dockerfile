# The worker and its commands (`run`, `migrate`, `topics`, `doctor`, `sandbox`), with nothing but the pinned runtime packages.
# Settings come from the environment and /run/secrets; nothing is written outside /tmp.

FROM python:3.11-slim AS packages
COPY requirements/runtime.txt /tmp/runtime.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/runtime.txt \
    && /opt/venv/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ordersync
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY migrations/ migrations/
COPY worker/ worker/
RUN /opt/venv/bin/python -m compileall -q worker migrations
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/opt/venv/bin/python", "-m", "worker"]
CMD ["run"]
