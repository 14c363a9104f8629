# The developer's words; each one is a script of the same name.
.PHONY: setup demo check test bench build docs site

setup:  ; @scripts/setup dev
demo:   ; @scripts/setup && exec .venv/bin/python scripts/demo
check:  ; @scripts/setup dev && exec scripts/check
test:   ; @exec scripts/test
bench:  ; @scripts/setup dev && exec scripts/bench
build:  ; @scripts/setup dev && exec scripts/build
docs:   ; @scripts/setup dev && exec .venv/bin/python scripts/docs
site:   ; @scripts/setup dev && exec scripts/site
