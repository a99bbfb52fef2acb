# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked && install -D target/release/jotsmith /out/jotsmith \
 && install -d -m 0750 /out/home/config /out/home/keys /out/home/data

FROM debian:bookworm-slim
# The certificates that `jotsmith token verify --jwks https://..` trusts.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
# The program is root's, so that who runs it cannot change it; the three folders are of who runs it. No default.toml: the
# program carries its defaults, and a volume would keep those of an older one and have them win.
COPY --from=build /out/jotsmith /usr/local/bin/jotsmith
COPY --from=build --chown=65532:65532 /out/home /var/lib/jotsmith
USER 65532:65532
WORKDIR /var/lib/jotsmith
ENV JOTSMITH__SERVER__LISTEN=0.0.0.0:8080 JOTSMITH__SERVER__ADMIN_LISTEN=0.0.0.0:9080
EXPOSE 8080 9080
VOLUME ["/var/lib/jotsmith/config", "/var/lib/jotsmith/keys", "/var/lib/jotsmith/data"]
ENTRYPOINT ["/usr/local/bin/jotsmith"]
CMD ["serve"]
