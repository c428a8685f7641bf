# make         set up what is missing: Python packages, LiveKit server, models, page
# make run     the same, then start Eloquence; Ctrl-C stops it
# make dev     the same, and a new worker whenever the source or .env is saved
# make test    every test, with the real server, models and browser
# make check   what needs no running: style, types, lock files, deployment files
# make conformance   the speech plugins against the framework's contract, as a table
# make conformance-voices   the same rules with each real voice; Whisper hears what it says
# make conformance-kyutai   Kyutai's plugin against the real moshi-server, which it builds
# make bench-check   whether calls are slower than in the reference run, beside a bare LiveKit agent
# make soak    the same rules for long: a thousand streams, ten minutes of speech; and the memory
#              of the engine over a thousand utterances

PYTHON ?= python3
PYTEST_ARGS ?=

BIN := .venv/bin
PAGE := agent/web/page
STATIC := agent/web/static/index.html
MANIFEST := plugins/livekit-plugins-local/livekit/plugins/local/models/manifest.toml

# uv from the search path if it works there, else from PyPI into a place of its own.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: bootstrap run dev test check conformance conformance-voices conformance-kyutai soak bench-check fetch

bootstrap: .venv/.fetched $(STATIC)

run: bootstrap
	@$(BIN)/eloquence up

dev: bootstrap
	@$(BIN)/eloquence dev

test: bootstrap fetch
	@scripts/system-packages --required "chromium|chromium-browser=chromium" ip=iproute2
	@scripts/prometheus
	npm --prefix $(PAGE) test
	@# First those that mostly wait, side by side; then those that need the machine to themselves.
	@first=0; second=0; \
	$(BIN)/pytest -n 3 -m "unit or conformance or waits" $(PYTEST_ARGS) || first=$$?; \
	$(BIN)/pytest -m "(e2e or browser) and not waits" $(PYTEST_ARGS) || second=$$?; \
	case "$$first$$second" in 00|05|50) ;; *) exit 1 ;; esac

check: .venv/.synced $(PAGE)/node_modules/.package-lock.json
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy agent plugins tests $(wildcard bench/*.py)
	npm --prefix $(PAGE) run check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose*.yml
	scripts/compose-config
	$(UV) lock --check

conformance: .venv/.synced
	@$(BIN)/python -m tests.conformance

# Kokoro takes up to a quarter of a minute for a clause of sixty words; to understand espeak and Piper
# takes the larger Whisper; and Piper comes in an environment of its own.
conformance-voices: .venv/.fetched
	@$(BIN)/eloquence bench listener
	@CONFORMANCE_PATIENCE=4 $(BIN)/python -m tests.conformance \
		--plugin local/hibari --plugin local/openai
	@CONFORMANCE_PATIENCE=40 $(BIN)/python -m tests.conformance --plugin local/kokoro
	@CONFORMANCE_PATIENCE=12 UV="$(UV)" scripts/piper $(BIN)/python -m tests.conformance \
		--plugin local/espeak --plugin local/piper

# One file of tests for the fake and the real server, then the kit with each.
conformance-kyutai: .venv/.synced
	@UV="$(UV)" scripts/moshi-server $(BIN)/pytest -q tests/conformance/test_moshi*.py
	@UV="$(UV)" scripts/moshi-server $(BIN)/python -m tests.conformance \
		--plugin kyutai --plugin kyutai-real

bench-check: .venv/.fetched
	@$(BIN)/eloquence bench voice --baseline --turns 8 --check bench/reference.json

soak: .venv/.synced
	@$(BIN)/python -m tests.conformance --soak
	@$(BIN)/eloquence bench tts --voices en=hibari/heart --rounds 0 --sentences 0 --utterances 1000
	UTTERANCES=501 $(BIN)/pytest -q -k storm tests/conformance/test_moshi_load.py

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	@echo '*' > .uv/.gitignore
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.synced: uv.lock pyproject.toml $(wildcard plugins/*/pyproject.toml) | $(filter .uv/%,$(UV))
	$(UV) sync --frozen --python $(PYTHON)
	@touch $@

# A marker makes later runs start at once; `eloquence up` fetches what has gone missing since.
.venv/.fetched: .venv/.synced $(MANIFEST) agent/livekit/__init__.py
	@$(MAKE) --no-print-directory fetch
	@touch $@

fetch: .venv/.synced
	@scripts/system-packages espeak-ng=espeak-ng
	@$(BIN)/eloquence livekit-server
	@$(BIN)/eloquence models pull

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package.json $(PAGE)/package-lock.json
	npm --prefix $(PAGE) ci
	@touch $@

$(STATIC): $(PAGE)/node_modules/.package-lock.json $(wildcard $(PAGE)/*.html $(PAGE)/*.ts $(PAGE)/*.json $(PAGE)/src/* $(PAGE)/public/*)
	npm --prefix $(PAGE) run build
	@touch $@
