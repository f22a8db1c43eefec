# The control plane, the authorizers, `routes`, `certificates`, and the command line: one image, one process each.
#
#   docker build -f deploy/images/aegis.Dockerfile -t aegis .        (from the top of the repository)
#
# BASE is any Debian 12. RUNTIME is what the image stands on, BASE by default; distroless with Python 3.11 will do.
# Without a network the packages are taken from deploy/images/wheels (deploy/images/fetch-wheels fills it).
ARG BASE=debian:bookworm-slim
ARG RUNTIME=base

FROM ${BASE} AS base
COPY deploy/images/prepare-base /tmp/
RUN /tmp/prepare-base && rm /tmp/prepare-base

FROM base AS build
COPY deploy/images /src/deploy/images
COPY requirements /src/requirements
RUN /src/deploy/images/install-packages /src/requirements/image.txt /opt/aegis/packages
COPY . /src
RUN /src/deploy/images/install-aegis /opt/aegis/packages \
    && install -d -m 0700 /state/records /state/control /state/keys /state/credentials

FROM ${RUNTIME}
COPY --from=base /etc/passwd /etc/group /etc/
COPY --from=build /opt/aegis /opt/aegis
COPY --from=build --chown=10001:10001 /state /var/lib/aegis
ENV PYTHONPATH=/opt/aegis/packages \
    PATH=/opt/aegis/packages/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AEGIS_LOG_FORMAT=json \
    HOME=/tmp \
    LOGNAME=aegis
USER 10001:10001
WORKDIR /var/lib/aegis
LABEL org.opencontainers.image.title="aegis" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Decides what AI agents may do: control plane, authorizers, command line"
ENTRYPOINT ["/usr/bin/python3", "-P", "-m", "aegis_authz.cli"]
CMD ["--help"]
