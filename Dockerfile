# One image for coordinator and workers: the binary, and the tools that synthesis jobs run.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN SQLX_OFFLINE=true cargo build --release --locked --bin bitfront

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates g++ make util-linux verilator yosys \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/bitfront bitfront
COPY --from=build /src/target/release/bitfront /usr/local/bin/bitfront
USER 10001
WORKDIR /var/lib/bitfront
ENTRYPOINT ["bitfront"]
CMD ["--help"]
