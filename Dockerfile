# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked && install -D target/release/jotsmith /out/usr/local/bin/jotsmith \
 && install -d -m 0750 /out/var/lib/jotsmith/config /out/var/lib/jotsmith/keys /out/var/lib/jotsmith/data \
 && install -m 0644 config/default.toml /out/var/lib/jotsmith/config/default.toml

FROM debian:bookworm-slim
COPY --from=build --chown=65532:65532 /out /
USER 65532:65532
WORKDIR /var/lib/jotsmith
ENV JOTSMITH__SERVER__LISTEN=0.0.0.0:8080 JOTSMITH__SERVER__ADMIN_LISTEN=0.0.0.0:9080
EXPOSE 8080 9080
VOLUME ["/var/lib/jotsmith/config", "/var/lib/jotsmith/keys", "/var/lib/jotsmith/data"]
ENTRYPOINT ["/usr/local/bin/jotsmith"]
CMD ["serve"]
