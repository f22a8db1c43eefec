# The rules that lead a pod's traffic into its gateway (docs/intercept.md). It ends when they are in force; it needs the
# capability NET_ADMIN in the pod's network namespace, and no other.
#
#   docker build -f deploy/images/init.Dockerfile -t aegis-init .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
COPY deploy/images/prepare-base /tmp/
RUN /tmp/prepare-base nftables && rm /tmp/prepare-base

FROM base AS build
COPY deploy/images /src/deploy/images
COPY requirements /src/requirements
RUN /src/deploy/images/install-packages /src/requirements/operator.txt /opt/aegis/packages
COPY . /src
RUN /src/deploy/images/install-aegis /opt/aegis/packages

FROM base
COPY --from=build /opt/aegis /opt/aegis
ENV PYTHONPATH=/opt/aegis/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
# nft needs the capability in force: root with every capability but NET_ADMIN dropped is the least that has it
USER 0:0
WORKDIR /
LABEL org.opencontainers.image.title="aegis-init" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Leads a pod's traffic into its gateway"
ENTRYPOINT ["/usr/bin/python3", "-P", "-m", "aegis_authz.cli", "intercept"]
CMD ["up", "--pod", "--gateway", "1337", "--gateway", "10001", "--gateway", "10002"]
