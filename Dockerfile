# One image for every stage, the sandbox and the command line: the command says which (`python -m services.validation`).
# The base image is an argument, for those who keep their own.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements/main.lock requirements/build.lock requirements/
RUN python -m venv /opt/enact && /opt/enact/bin/pip install --no-cache-dir --require-hashes -r requirements/main.lock
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY enact enact
COPY topology topology
COPY connectors connectors
COPY services services
COPY cli cli
COPY schemas schemas
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/enact/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/enact /opt/enact
# 10001 is the id in the Kubernetes manifests. A new volume takes its owner from these folders.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin enact \
 && install -d -o enact -g enact -m 0700 /var/lib/enact /etc/enact/credentials /etc/enact/approval
ENV PATH=/opt/enact/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ENACT_DATA_DIR=/var/lib/enact \
    ENACT_HEALTH__HOST=0.0.0.0 \
    ENACT_HEALTH__PORT=9400 \
    ENACT_API__HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/enact
EXPOSE 9400 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/livez', timeout=2)"]
CMD ["enact", "--help"]
