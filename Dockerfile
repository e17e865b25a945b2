# defender-relay as an image: no shell, no package manager, nobody's user. docs/deployment.md tells how to run it.
#
#   docker build -t defender-relay .

FROM docker.io/library/node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.ts ./scripts/
COPY src ./src
# Of the optional packages the build needs one, and the relay none: they are Node itself, which the image has.
RUN npm run build \
    && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
    && mkdir /state

FROM gcr.io/distroless/nodejs24-debian13:nonroot
LABEL org.opencontainers.image.title="defender-relay" \
      org.opencontainers.image.description="Relays Microsoft Defender alerts to the SIEM you run yourself" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    DEFENDER_RELAY_HEALTH=http://127.0.0.1:9464/healthz
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build --chown=65532:65532 /state /var/lib/defender-relay
# A number: Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
# The only place that is written to: the root file system may be read-only.
VOLUME /var/lib/defender-relay
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
  CMD ["/nodejs/bin/node", "-e", "fetch(process.env.DEFENDER_RELAY_HEALTH).then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["run"]
