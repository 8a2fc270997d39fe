# Two stages: the second holds the program, the configuration folder and nothing to build with.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY dashboards dashboards
COPY tests tests
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 plantroom && install -d -o plantroom /var/lib/plantroom
COPY --from=build /src/target/release/plantroom /usr/local/bin/plantroom
COPY config /etc/plantroom
USER plantroom
VOLUME /var/lib/plantroom
ENTRYPOINT ["plantroom", "--config", "/etc/plantroom/plantroom.toml", "--data", "/var/lib/plantroom"]
CMD ["run"]
