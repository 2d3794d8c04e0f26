# The service in a container. docs/deployment.md says how to run it; compose.yaml runs it as it should be.
FROM python:3.13-slim-trixie AS built
WORKDIR /project
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Compiled here: on a read-only file system Python could not keep what it compiles.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --compile --prefix=/installed '.[serve,text,heif]'

FROM python:3.13-slim-trixie
COPY --from=built /installed /usr/local
RUN groupadd --gid 10001 shop \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin shop \
    && install --directory --owner=10001 --group=10001 /data
ENV IMAGE_SIMILARITY_WORKSPACE=/data \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["image-similarity"]
CMD ["serve", "--workspace", "/data", "--dataset", "shop", "--host", "0.0.0.0", "--port", "8000"]
