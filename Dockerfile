# One image for every process: web by default, the others by their command.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOST=0.0.0.0 \
    PORT=8000

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin coin
WORKDIR /srv/peoples-coin

# What only some need: --build-arg EXTRAS=kubernetes, where the controller tells that.
ARG EXTRAS=

# An application, run from its directory: installed editable, never as a package.
# Every dependency has a wheel, so no compiler is needed. Root owns the code, and
# the processes cannot change it.
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint requirements.lock --editable ".${EXTRAS:+[$EXTRAS]}"

USER coin
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
CMD ["gunicorn", "--config", "python:api.server", "api.server:application()"]
