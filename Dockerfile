# Two images: `docker build --target cpu .` (the default) and `docker build --target cuda .` for NVIDIA cards.
# Everything that changes lives in /data: mount a volume there.

FROM rust:1.95-slim-bookworm AS rust

FROM rust AS build-cpu
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY bot bot
COPY clock clock
COPY inference inference
COPY storage storage
COPY sandbox sandbox
COPY migrations migrations
COPY config.example.toml ./
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --profile dist --locked --package atelier --bin atelier \
    && install -D target/dist/atelier /built/atelier

FROM nvidia/cuda:12.8.1-devel-ubuntu22.04 AS build-cuda
# 80 runs on every card since Ampere; name your card's own to skip the translation at the first start.
ARG CUDA_COMPUTE_CAP=80
ENV CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP} \
    RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/usr/local/cargo \
    PATH=/usr/local/cargo/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=rust /usr/local/cargo /usr/local/cargo
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY bot bot
COPY clock clock
COPY inference inference
COPY storage storage
COPY sandbox sandbox
COPY migrations migrations
COPY config.example.toml ./
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,id=target-cuda,target=/source/target \
    cargo build --profile dist --locked --package atelier --bin atelier --features cuda \
    && install -D target/dist/atelier /built/atelier

# The libraries that a CUDA build loads (cuBLAS, cuRAND, NVRTC) are in NVIDIA's image; the driver comes from the host.
FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04 AS cuda
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data atelier \
    && install --directory --owner atelier --mode 0750 /data
COPY --from=build-cuda /built/atelier /usr/local/bin/atelier
COPY models/starter/model /usr/local/share/atelier/models/starter/model
COPY models/starter/upscaler /usr/local/share/atelier/models/starter/upscaler
COPY models/starter/guide /usr/local/share/atelier/models/starter/guide
COPY models/starter/ATTRIBUTION.md models/starter/MODEL_CARD.md /usr/local/share/atelier/models/starter/
USER atelier
WORKDIR /data
VOLUME /data
ENTRYPOINT ["atelier"]
CMD ["run"]

FROM debian:bookworm-slim AS cpu
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data atelier \
    && install --directory --owner atelier --mode 0750 /data
COPY --from=build-cpu /built/atelier /usr/local/bin/atelier
COPY models/starter/model /usr/local/share/atelier/models/starter/model
COPY models/starter/upscaler /usr/local/share/atelier/models/starter/upscaler
COPY models/starter/guide /usr/local/share/atelier/models/starter/guide
COPY models/starter/ATTRIBUTION.md models/starter/MODEL_CARD.md /usr/local/share/atelier/models/starter/
USER atelier
WORKDIR /data
VOLUME /data
ENTRYPOINT ["atelier"]
CMD ["run"]
