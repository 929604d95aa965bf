# The gateway as one process. docs/docker.md says how to build and run it.
# For a fixed base image: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

# The program, bundled with the packages that it needs. No package of ours needs its install script for that.
FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY LICENSE ./
COPY bin ./bin
COPY scripts/build.ts ./scripts/
COPY scripts/support/build-program.ts scripts/support/third-party-licenses.ts ./scripts/support/
COPY src ./src
RUN node scripts/build.ts

FROM ${NODE_IMAGE} AS program
WORKDIR /app
COPY --from=build /build/dist ./
COPY scripts/health-check.mjs ./scripts/
# A checkout under a strict umask would otherwise be one that only root can read.
RUN chmod -R a+rX,go-w .

# What a start, a health check, a command and a schema of inputs load, compiled. Filled by the user who will read it,
# since Node.js keeps a cache for each user number, and where the image has the program, since it goes by paths.
FROM program AS cache
RUN mkdir cache && chown 1000:1000 cache
USER 1000:1000
ENV NODE_COMPILE_CACHE=/app/cache
RUN set -e; export RUNGATE_CONFIG=/tmp/rungate.yaml RUNGATE_DATA_DIR=/tmp/data RUNGATE_PORT=18080 RUNGATE_ADMIN_PORT=0; \
    echo 'workflows: { any: { provider: b3os, workflow: wf_1, inputs: { type: object } } }' > $RUNGATE_CONFIG; \
    timeout --foreground 120 node bin/rungate.js serve --sandbox & gateway=$!; \
    until node scripts/health-check.mjs 2> /tmp/why; do kill -0 $gateway; sleep 0.2; done; \
    node bin/rungate.js keys create --name cache --sandbox > /tmp/key; \
    kill $gateway; wait $gateway; \
    chmod -R a+rX cache

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="rungate" \
      org.opencontainers.image.description="A self-hosted gateway with one API in front of every workflow vendor and engine." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# What is copied belongs to root, so that the process cannot change its own program. The data directory is the only
# place that it may write to; a volume that is made for it begins with these rights.
RUN printf '#!/bin/sh\nexec node /app/bin/rungate.js "$@"\n' > /usr/local/bin/rungate \
 && chmod 755 /usr/local/bin/rungate \
 && mkdir -p /etc/rungate /data \
 && chown 1000:1000 /data \
 && chmod 700 /data
COPY --from=program /app /app
# To read only: whoever may write to it decides what runs.
COPY --from=cache --chown=0:0 /app/cache /app/cache
# Should SQLite ever need a file to spill to, /data is where it may make one.
ENV RUNGATE_HOST=0.0.0.0 \
    RUNGATE_DATA_DIR=/data \
    SQLITE_TMPDIR=/data \
    NODE_COMPILE_CACHE=/app/cache
# Here the default configuration, ./rungate.yaml, is looked for; it may be absent.
WORKDIR /etc/rungate
VOLUME /data
EXPOSE 8080
# By number, so that a platform that refuses root can tell.
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/app/scripts/health-check.mjs"]
# No shell between the engine and Node.js, so that signals arrive; `docker run rungate serve --sandbox` gives other arguments.
ENTRYPOINT ["node", "/app/bin/rungate.js"]
CMD ["serve"]
