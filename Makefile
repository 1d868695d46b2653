# Thin on purpose: what a target does stands in tools/ and tests/. Environments are made when first needed.
.DEFAULT_GOAL := help
.PHONY: help venv venv-unit venv-demo venv-rehearse venv-awx venv-eda venv-film link lint fix check sanity unit servers servers-early servers-late servers-last around hosts integration oldest \
  drills drills-fast drills-all rehearse rehearse-1 rehearse-2 rehearse-3 rehearse-triage timings hosts-test hosts-down test demo demo-down bench matrix build docs film awx ee clean
# Tests on real hosts mostly wait for them, so they run beside the others, which mostly compute.
ON_HOSTS := tests/hosts tests/playbooks
ROOT := $(filter 0,$(shell id -u))
# Tests with servers mostly wait for them as well. By a file's first letter each is in one of three parts.
NOT_EARLY := tests/integration/test_[n-oq-z]*.py
NOT_LATE := tests/integration/test_[!q-s]*.py
NOT_LAST := tests/integration/test_[!n-ot-z]*.py
# The longest first, so that no lane of `make test` is left with much to do when the others have ended. What only root can
# do is on hosts and networks of its own.
STAGES := $(if $(ROOT),rehearse) servers-early servers-late hosts servers-last $(if $(ROOT),drills-fast) sanity around lint unit
PYTEST := .venv/bin/python -m pytest --durations=15
# Real servers and hosts share two cores with lint: a test of these that fails is tried once more, and both are told.
AGAIN := --reruns 1 --max-suite-reruns 5 --rerun-show-tracebacks
# Where byte code may not be kept, each of thousands of processes would compile its imports anew: a quarter of a playbook's
# time. It is kept apart then, and beside the sources still is nothing.
ifdef PYTHONDONTWRITEBYTECODE
  unexport PYTHONDONTWRITEBYTECODE
  export PYTHONPYCACHEPREFIX ?= $(CURDIR)/.cache/byte-code
endif
COLLECTION := .ansible/collections/ansible_collections/chatia/kanban_rollback

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

venv: link ## make or refresh .venv, with all that lints and tests
	@tools/venv .venv requirements/dev.txt

venv-unit: link
	@tools/venv .venv-unit requirements/unit.txt

venv-demo: link
	@tools/venv .venv-demo requirements/demo.txt

venv-rehearse: link
	@tools/venv .venv-rehearse requirements/rehearse.txt

venv-awx: link
	@tools/venv .venv-awx requirements/awx.txt

venv-eda: link
	@tools/venv .venv-eda requirements/eda.txt

venv-film: link
	@tools/venv .venv-film requirements/film.txt

link:
	@test -e $(COLLECTION)/galaxy.yml || { mkdir -p $(dir $(COLLECTION)) && ln -sfn ../../../.. $(COLLECTION); }

lint: venv ## check style, types, documentation, changelog and tarball
	@.venv/bin/python -m tools.lint

fix: venv ## apply what ruff can repair by itself
	@.venv/bin/ruff check --fix --exit-zero . && .venv/bin/ruff format .

sanity: venv ## run ansible-test sanity on a clean copy
	@.venv/bin/python -m tools.sanity

P ?= fence
check: venv venv-unit ## lint what has changed, and play the tests of one capability: make check P=fence
	@.venv/bin/python -m tools.check $(P)

# Alone it has both cores; a build has none to spare.
WORKERS ?= 2
unit: venv-unit ## test the pure files, with neither Ansible nor a driver installed
	@.venv-unit/bin/python -m pytest tests/unit -n $(WORKERS) --junitxml=.cache/junit/unit.xml

servers: venv venv-awx venv-eda ## test against real servers on this machine
	@$(PYTEST) $(AGAIN) tests/integration --junitxml=.cache/junit/servers.xml

servers-early: venv venv-awx venv-eda
	@$(PYTEST) $(AGAIN) tests/integration --ignore-glob='$(NOT_EARLY)' -o cache_dir=.cache/pytest-$@ --junitxml=.cache/junit/$@.xml

servers-late: venv venv-awx venv-eda
	@$(PYTEST) $(AGAIN) tests/integration --ignore-glob='$(NOT_LATE)' -o cache_dir=.cache/pytest-$@ --junitxml=.cache/junit/$@.xml

servers-last: venv venv-awx venv-eda
	@$(PYTEST) $(AGAIN) tests/integration --ignore-glob='$(NOT_LAST)' -o cache_dir=.cache/pytest-$@ --junitxml=.cache/junit/$@.xml

around: venv ## test the demo, the benchmarks, the staging application and what tests themselves rest on
	@$(PYTEST) $(AGAIN) tests --ignore=tests/unit --ignore=tests/integration $(ON_HOSTS:%=--ignore=%) \
	  -o cache_dir=.cache/pytest-around --junitxml=.cache/junit/around.xml

hosts: venv ## test on real hosts, as root
	@$(PYTEST) $(AGAIN) $(ON_HOSTS) -o cache_dir=.cache/pytest-hosts --junitxml=.cache/junit/hosts.xml

integration: venv ## run servers, around and hosts side by side; the last line counts them
	@.venv/bin/python -m tools.summary --lanes 2 servers hosts around

oldest: link ## run the integration tests with the oldest Ansible that is supported
	@tools/venv .venv-oldest requirements/oldest.txt && .venv-oldest/bin/python -m pytest tests --ignore=tests/unit --ignore=tests/hosts

CELLS ?=
matrix: venv ## try every PostgreSQL, Redis, Ansible and Python that docs/support.md lists, and write its table; CELLS="redis-7 core-2.18"
	@nice -n 10 .venv/bin/python -m tools.matrix $(CELLS)

# With CI set, a test that cannot have hosts fails: a drill that was not played must not look like one that passed.
drills: venv venv-awx venv-eda venv-rehearse ## play every drill, as root: a fault, the real playbook, people at work; and what else is too long for test (hours)
	@CI=1 $(PYTEST) tests -m drill --ignore=tests/unit --junitxml=.cache/junit/drills.xml

drills-fast: venv ## play the few drills that fit into each build, as root
	@CI=1 $(PYTEST) $(AGAIN) --rerun-except='^Lost:' tests/drills -m "drill and fast" -o cache_dir=.cache/pytest-drills --junitxml=.cache/junit/drills-fast.xml

OPTIONS ?=
drills-all: venv venv-awx venv-eda venv-rehearse ## play everything that is a drill three times, the four rehearsals too, and print who passed; OPTIONS="--faults --lanes 2 --resume"
	@.venv/bin/python -m tools.rounds $(OPTIONS)

rehearse: venv-rehearse ## rehearse scenarios 1, 2, 3 and triage on real hosts by molecule, as root; rehearse-3 is one of them
	@.venv-rehearse/bin/python -m tests.rehearsal.run --tries 2 $(REHEARSED)

rehearse-1 rehearse-2 rehearse-3: venv-rehearse
	@.venv-rehearse/bin/python -m tests.rehearsal.run scenario$(@:rehearse-%=%)

rehearse-triage: venv-rehearse
	@.venv-rehearse/bin/python -m tests.rehearsal.run triage

PLAYBOOK ?= scenario3
N ?= 20
timings: venv-rehearse ## time scenario1, 2, 3 or triage over and over on real hosts, as root: PLAYBOOK=scenario3 N=20
	@.venv-rehearse/bin/python -m tests.timed $(PLAYBOOK) -n $(N)

hosts-test: venv ## test the host fixture alone
	@.venv/bin/python -m pytest tests/hosts

hosts-down: ## remove hosts that a killed run has left, and what worked on them
	@failed=0; \
	for state in .cache/hosts* .cache/bench/hosts; do \
	  test ! -d $$state || .venv/bin/python -m tests.hosts --state $$state down || failed=1; done; \
	test ! -d .cache/rehearsal || .venv-rehearse/bin/python -m tests.rehearsal.run --clear || failed=1; \
	test ! -d .cache/drills || .venv/bin/python -m tests.drills down || failed=1; \
	test ! -d .cache/timings/estate || .venv-rehearse/bin/python -m tests.timed --clear || failed=1; \
	for lane in .cache/lanes/*; do \
	  test ! -e $$lane/.venv || $(MAKE) --silent --directory=$$lane hosts-down || failed=1; done; \
	exit $$failed

# The triage goes on with scenario 3, in the same plays: a build rehearses that once.
test: export REHEARSED := scenario1 scenario2 triage
test: export WORKERS := 0
test: venv ## run all that a commit has to pass, rehearsals too, three stages at a time; the last line counts them
	@$(if $(ROOT),:,echo "not root: no rehearsal and no drill is played, and tests on hosts are skipped" >&2)
	@.venv/bin/python -m tools.summary --lanes 3 $(STAGES)

# Byte code beside the sources would stay there after `make demo-down`.
demo: export PYTHONPYCACHEPREFIX ?= $(CURDIR)/.cache/byte-code
DEMO ?= stop
demo: venv-demo ## show scenario 3 on servers of its own; DEMO=corruption also repairs the data and undoes the repair
	@.venv-demo/bin/python -m tests.demo up $(DEMO)

demo-down: ## remove every process and file of the demo, its environment too
	@for python in .venv-demo/bin/python .venv/bin/python python3 /usr/bin/python3; do \
	  if command -v $$python >/dev/null; then $$python -B -m tests.demo down || exit 1; break; fi; done
	@test -d .venv || rm -rf .ansible .cache/byte-code
	@rm -rf .venv-demo .cache/venv/.venv-demo.*; rmdir .cache/venv .cache 2>/dev/null || :

bench: venv ## compare with the plan's own statements, in one run
	@.venv/bin/python -m tests.bench

build: venv ## build a release into .cache/dist: tarball, SBOM, checksums; signed if KANBAN_SIGNING_KEY is a key's fingerprint
	@.venv/bin/python -m tools.release

awx: venv ## write the surveys of awx/ anew from the argument specs
	@.venv/bin/python -m tools.surveys

ee: build ## write the build context of the execution environment to .cache/ee
	@.venv/bin/ansible-builder create --file extensions/ee/execution-environment.yml --context .cache/ee

docs: venv ## write README, docs/ and the reference as one site to .cache/docs/html
	@.venv/bin/python -m tools.docs

film: venv-film ## film the stop of the demo for README: docs/stop.cast and docs/stop.svg
	@.venv-film/bin/python -m tools.film

clean: demo-down hosts-down ## remove environments, caches and the demo
	@rm -rf .venv .venv-unit .venv-demo .venv-oldest .venv-rehearse .venv-awx .venv-eda .venv-film .cache .ansible
