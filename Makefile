# FrameShare's jobs. `make` alone lists them.
#
# Each does its own set-up on Debian 12 and its kin, from nothing but a Swift toolchain: missing packages are installed
# by apt-get when run by root (or by who may sudo without a password); otherwise you are told which to install.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
# Where the C library goes below PREFIX: lib64, lib/aarch64-linux-gnu, ...
LIBDIR ?= lib
# make bench ROUNDS=12: more rounds, narrower medians. BENCH="--quick": more of Benchmarks/compare's options.
ROUNDS ?= 6
BENCH ?=
# make test ONLY="lint tests": some phases alone.
ONLY ?=
# make fuzz SECONDS=600: for each target.
SECONDS ?= 60
# make soak MINUTES=60 SEED=7
MINUTES ?= 10
SEED ?=
# make build LIBCAMERA=yes: with cameras of libcamera's (libcamera-dev 0.3 or later).
LIBCAMERA ?=
# make build JOBS=1: fewer compilers at a time, for a machine with little memory.
JOBS ?=
# make packages CHECK=yes
CHECK ?=
# make docs DOCS=folder
DOCS ?= docs-out
# make demo VIEW=yes: the whole command, with its page in a browser.
VIEW ?=

SHELL := /bin/bash
.DEFAULT_GOAL := help
export JOBS SWIFT LIBCAMERA VIEW

formatted := Package.swift Sources Tests \
	$(wildcard Fuzz/Package.swift Fuzz/Sources) \
	$(wildcard Benchmarks/Package.swift Benchmarks/Sources Benchmarks/Micro Examples/Package.swift Examples/Swift)
scripts := Tests/CLibrary/run Tests/Packages/run Tests/Packages/enter Tests/Packages/in-root Tests/Packages/release \
	$(filter-out %/control %/channel,$(wildcard Packaging/debian/tests/*)) Tests/View/run Tests/View/environment Tests/View/python $(filter-out Scripts/check-rooms,$(wildcard Scripts/*)) .ci/run Examples/check Models/prove Benchmarks/count Benchmarks/build-peers \
	Packaging/generate Packaging/build-all Packaging/build-packages Packaging/check-packages Packaging/copy-sources \
	Packaging/ffmpeg-packages Packaging/release Packaging/test-packages Tests/GuestTests/run-service Fuzz/run \
	$(addprefix Tests/ARM64/,run fetch make-sdk in-arm64 boot build-python guest-init guest-tests)
release = $(SWIFT) build $$(Scripts/release-options) --product frameshare --static-swift-stdlib $$(Scripts/traits)
# Apart: who shares cameras has no use for it.
release_bench = $(SWIFT) build $$(Scripts/release-options) --product frameshare-bench --static-swift-stdlib $$(Scripts/traits)
command := .build/release/frameshare
bench_program = $(command)-bench
c_library := .build-capi/stage
version := $(shell Scripts/version)
soname := $(shell Scripts/version --soname)
prefix = $(DESTDIR)$(PREFIX)
installed := bin/frameshare bin/frameshare-bench share/man/man1/frameshare.1 share/bash-completion/completions/frameshare \
	share/zsh/site-functions/_frameshare share/fish/vendor_completions.d/frameshare.fish \
	lib/systemd/system/frameshare@.service lib/systemd/system/frameshare@.socket lib/sysusers.d/frameshare.conf share/doc/frameshare/channel.conf \
	share/frameshare/seccomp-publisher.json share/frameshare/seccomp-subscriber.json \
	include/frameshare.h $(addprefix $(LIBDIR)/,libframeshare.so $(soname) libframeshare.so.$(version) \
	pkgconfig/frameshare.pc cmake/frameshare/frameshare-config.cmake cmake/frameshare/frameshare-config-version.cmake)

.PHONY: help build c-library python gstreamer v4l2 pipewire demo check packages test prove fuzz soak bench bench-micro arm64 lint format docs install uninstall clean

help: ## this list
	@echo "FrameShare: one camera, many programs, the same pixels."
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## the command 'frameshare', optimised, with all that this machine has libraries for
	@Scripts/install-packages --optional build
	$(release)
	$(release_bench)

c-library: ## libframeshare.so and frameshare.h, for C, C++ and whatever calls C, in .build-capi/stage
	@Scripts/build-c-library $(c_library)

python: c-library ## the Python package's wheel, with the C library inside, in .build-python/wheel
	@Scripts/build-python-wheel

gstreamer: c-library ## GStreamer's elements framesharesrc and framesharesink, in .build-gstreamer: Documentation/GStreamer.md
	@Scripts/install-packages gstreamer
	@[ -e .build-gstreamer/build.ninja ] || \
		PKG_CONFIG_PATH="$$PWD/$(c_library)/lib/pkgconfig" meson setup .build-gstreamer Doors/GStreamer
	@ninja -C .build-gstreamer

v4l2: c-library ## frameshare-v4l2, to whose programs channels are V4L2 cameras, in .build-v4l2: Documentation/V4L2.md
	@Scripts/install-packages v4l2
	@[ -e .build-v4l2/build.ninja ] || \
		PKG_CONFIG_PATH="$$PWD/$(c_library)/lib/pkgconfig" meson setup .build-v4l2 Doors/V4L2
	@ninja -C .build-v4l2

pipewire: c-library ## frameshare-pipewire, by which channels are PipeWire's cameras, in .build-pipewire: Documentation/PipeWire.md
	@Scripts/install-packages pipewire
	@[ -e .build-pipewire/build.ninja ] || \
		PKG_CONFIG_PATH="$$PWD/$(c_library)/lib/pkgconfig" meson setup .build-pipewire Doors/PipeWire
	@ninja -C .build-pipewire

demo: ## see it work in a minute or so: a publisher, three subscribers, ten seconds; VIEW=yes: in a browser, too
	@Scripts/demo

# Neither traits nor the command: what is built is the core and its tests alone. Left out are tests that take longest:
# every interleaving, injected faults, programs that must not compile.
core := PixelFormatsTests LeaseProtocolTests FrameMemoryTests FrameShareTestKitTests FrameShareTests
check: export FRAMESHARE_SUITES := $(core)
check: check_options := --scratch-path .build-check --disable-default-traits
check: ## the core alone, built and tested, in under a minute once its dependencies are built
	$(SWIFT) build --build-tests $(check_options)
	@for suite in $(core); do \
		$(SWIFT) test --quiet --skip-build --disable-xctest $(check_options) --filter "^$$suite\." \
			--skip 'ExplorationTests|\.FaultTests|MisuseTests' || exit; \
	done

packages: ## Debian packages, wheel and tarball in .build-packages/dist; CHECK=yes: tried in clean roots, lintian, piuparts, twice the same bytes
	@Scripts/install-packages build python packages
	Packaging/build-packages
	@if [ -n "$(CHECK)" ]; then Scripts/install-packages packages-check && Tests/Packages/run && Packaging/check-packages; fi

test: ## all checks: format, tests, sanitizers, real drivers in a guest (about half an hour on 2 cores)
	@Scripts/install-packages build test view docs packages python gstreamer v4l2 pipewire
	@Scripts/install-packages libcamera
	@Scripts/run-tests $(ONLY)

prove: ## the lane's models, searched through, and mutants that must fail: Models/README.md
	@Scripts/install-packages prove
	@Models/prove

fuzz: ## what peers and people say, made up by libFuzzer, for SECONDS (60) a target: Fuzz/README.md
	@Fuzz/run $(SECONDS)

arm64: ## on arm64, emulated: all of the Python tests, every hostile peer, pages of 16 and of 4 KiB (about half an hour)
	@Tests/ARM64/run --all

soak: ## subscribers come, go, stop and die for MINUTES (10), with every frame accounted for; SEED repeats a run
	$(SWIFT) build --product frameshare-soak $$(Scripts/traits)
	.build/debug/frameshare-soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: ## FrameShare beside bare C, iceoryx, PipeWire, GStreamer, ZeroMQ and Python, in one run (about 10 minutes)
	@Scripts/install-packages bench
	$(SWIFT) build -c release --static-swift-stdlib --package-path Benchmarks --scratch-path .build-bench --product channel-bench
	@Benchmarks/build-peers .build-bench/contestants
	@cp -f .build-bench/release/channel-bench .build-bench/contestants/
	@Benchmarks/compare --programs .build-bench/contestants --rounds $(ROUNDS) $(BENCH)
	$(SWIFT) build -c release --static-swift-stdlib --package-path Benchmarks --scratch-path .build-bench --product workers-bench
	@Benchmarks/compare-workers .build-bench/release/workers-bench $(ROUNDS)
	$(SWIFT) build -c release --static-swift-stdlib --package-path Benchmarks --scratch-path .build-bench --product call-bench
	@cp -f .build-bench/release/call-bench .build-bench/contestants/
	@Benchmarks/compare-calls .build-bench/contestants $(ROUNDS)
	@Benchmarks/compare-remote $(ROUNDS)
	$(SWIFT) build -c release --static-swift-stdlib --package-path Benchmarks --scratch-path .build-bench --product copy-bench
	@.build-bench/release/copy-bench $(ROUNDS)

bench-micro: ## what the steps of a frame's way cost by themselves, while nobody sleeps
	cd Benchmarks/Micro && $(SWIFT) package --scratch-path ../../.build-micro --allow-writing-to-package-directory benchmark

lint: ## what 'format' would change, and the style's other rules
	$(SWIFT) format lint --strict --parallel --recursive $(formatted)
	@Scripts/check-documents
	@Scripts/check-rooms
	@Tests/Rooms/run
	@if command -v shellcheck > /dev/null; then shellcheck $(scripts); fi

format: ## brings every Swift file into the project's style
	$(SWIFT) format format --in-place --parallel --recursive $(formatted)

docs: ## the documentation as a web site in docs-out: guides, manual, references of Swift, C and Python
	@Scripts/install-packages docs
	@Scripts/build-docs $(DOCS)

# As root the toolchain is often out of reach (sudo resets PATH): then what 'make build' has left is installed.
install: ## puts command, manual, completions, service and C library under PREFIX (/usr/local); honours DESTDIR
	@if command -v $(SWIFT) > /dev/null; then $(MAKE) --no-print-directory build c-library; \
	elif [ ! -x $(command) ]; then echo "make install: run 'make build' first" >&2; exit 1; fi
	install -D -s -m 755 $(command) "$(prefix)/bin/frameshare"
	install -D -s -m 755 $(bench_program) "$(prefix)/bin/frameshare-bench"
	install -d $(addprefix "$(prefix)"/,$(dir $(installed)))
	$(command) completions bash > "$(prefix)/share/bash-completion/completions/frameshare"
	$(command) completions zsh > "$(prefix)/share/zsh/site-functions/_frameshare"
	$(command) completions fish > "$(prefix)/share/fish/vendor_completions.d/frameshare.fish"
	@if command -v python3 > /dev/null; then \
		Packaging/make-manual $(command) > "$(prefix)/share/man/man1/frameshare.1"; \
	else echo "make install: without the manual page: python3, which writes it, is not installed" >&2; fi
	Packaging/generate unit "$(PREFIX)/bin" > "$(prefix)/lib/systemd/system/frameshare@.service"
	install -m 644 Packaging/frameshare@.socket "$(prefix)/lib/systemd/system/frameshare@.socket"
	install -m 644 Packaging/frameshare.sysusers "$(prefix)/lib/sysusers.d/frameshare.conf"
	install -m 644 Packaging/channel.conf "$(prefix)/share/doc/frameshare/channel.conf"
	Packaging/generate profile publisher > "$(prefix)/share/frameshare/seccomp-publisher.json"
	Packaging/generate profile subscriber > "$(prefix)/share/frameshare/seccomp-subscriber.json"
	@if [ -d $(c_library) ]; then \
		cp -d --preserve=mode,links $(c_library)/lib/libframeshare.so* "$(prefix)/$(LIBDIR)/" && \
		install -m 644 $(c_library)/include/frameshare.h "$(prefix)/include/frameshare.h" && \
		Packaging/generate pkg-config "$(LIBDIR)" > "$(prefix)/$(LIBDIR)/pkgconfig/frameshare.pc" && \
		Packaging/generate cmake-config "$(LIBDIR)" > "$(prefix)/$(LIBDIR)/cmake/frameshare/frameshare-config.cmake" && \
		Packaging/generate cmake-version > "$(prefix)/$(LIBDIR)/cmake/frameshare/frameshare-config-version.cmake"; \
	else echo "make install: without the C library: run 'make c-library' first" >&2; fi

uninstall: ## takes away what 'install' put there
	rm -f $(addprefix "$(prefix)"/,$(installed))
	-rmdir "$(prefix)/share/frameshare" "$(prefix)/share/doc/frameshare"
	-rmdir "$(prefix)/$(LIBDIR)/cmake/frameshare" 2> /dev/null

clean: ## removes everything that was built
	rm -rf .build .build-* $(DOCS)
