# Eloquence in one image: each container runs one of its commands (docker-compose.yml says which).
# It holds no model and no secret; models come into the volume /var/cache/eloquence.

FROM node:22-bookworm-slim AS page
WORKDIR /src/agent/web/page
COPY agent/web/page/package.json agent/web/page/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY agent/web/page ./
RUN npm run build


FROM python:3.11-slim-bookworm AS packages
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/eloquence \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# The dependencies first: a change of the source does not fetch them anew.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-workspace
COPY LICENSE NOTICE README.md ./
COPY plugins plugins
COPY agent agent
COPY --from=page /src/agent/web/static agent/web/static
RUN uv sync --frozen --no-dev --no-editable


FROM python:3.11-slim-bookworm AS eloquence
# espeak-ng: phonemes and a voice. libgomp1: the embedded language model.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends espeak-ng libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin eloquence \
    && install --directory --owner eloquence --group eloquence --mode 0700 /var/cache/eloquence
COPY LICENSE NOTICE /usr/share/doc/eloquence/
COPY --from=packages /opt/eloquence /opt/eloquence
ENV ELOQUENCE_CACHE_DIR=/var/cache/eloquence \
    HF_HUB_DISABLE_TELEMETRY=1 \
    HOME=/var/cache/eloquence \
    PATH=/opt/eloquence/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Eloquence" \
      org.opencontainers.image.description="A self-hosted, real-time voice agent on LiveKit. LiveKit's turn detector and VAD inside may be used only with LiveKit Agents; see /usr/share/doc/eloquence/NOTICE." \
      org.opencontainers.image.licenses="Apache-2.0 AND LicenseRef-LiveKit-Model AND GPL-3.0-or-later"
USER 10001:10001
WORKDIR /var/cache/eloquence
ENTRYPOINT ["eloquence"]
CMD ["--help"]


# With what CTranslate2 needs to run Whisper on an NVIDIA GPU (driver for CUDA 12 or later).
FROM eloquence AS eloquence-gpu
USER root
RUN pip install --no-cache-dir --disable-pip-version-check --target /opt/cuda \
    nvidia-cublas-cu12==12.9.2.10
ENV LD_LIBRARY_PATH=/opt/cuda/nvidia/cublas/lib
USER 10001:10001
