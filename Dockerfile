# One image recipe for every application: docker build --build-arg APP=ingress .
# Tags are exact; a release pins them by digest.
ARG NODE_IMAGE=docker.io/library/node:24.11.1-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /sallyport
COPY package.json package-lock.json .npmrc ./
COPY apps/cli/package.json apps/cli/package.json
COPY examples/orders/package.json examples/orders/package.json
# Install scripts are not run: nothing that is shipped needs one.
RUN npm ci --ignore-scripts
COPY .swcrc tsconfig.json nest-cli.json ./
COPY tools tools
# The build itself reads what Node is started with.
COPY deploy/node-options.json deploy/node-environment.json deploy/
COPY libs libs
COPY apps apps
COPY examples examples
RUN node tools/build.mjs
# What runs needs neither compilers nor tests, and in a container the database is never the embedded one.
RUN npm prune --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE} AS run
ARG APP=all-in-one
WORKDIR /sallyport
RUN mkdir -p /data && chown 10001:10001 /data
COPY --from=build /sallyport/package.json ./
COPY --from=build /sallyport/node_modules node_modules
COPY --from=build /sallyport/dist dist
COPY --from=build /sallyport/apps/cli apps/cli
COPY --from=build /sallyport/examples/orders examples/orders
COPY proto proto
COPY deploy/docker deploy/docker
COPY LICENSE NOTICE ./
ENV NODE_ENV=production APP=${APP} SALLYPORT_HOST=0.0.0.0 SALLYPORT_DATA_DIR=/data
# What deploy/node-environment.json says to the C library (ADR 48); a test compares them.
ENV MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=1048576
USER 10001:10001
VOLUME /data
# The options are those of deploy/node-options.json (ADR 31, 36, 44); a test compares them.
ENTRYPOINT ["node", "--enable-source-maps", "--single-threaded-gc", "--heap-growing-percent=100", "--no-allocation-site-pretenuring", "--max-semi-space-size=16", "--semi-space-growth-factor=16", "deploy/docker/run.cjs"]
