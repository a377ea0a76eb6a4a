# metal-llm: `make` prints help. Variables: BUILD (folder), SANITIZE=1 (ASan and UBSan, in build/asan),
# COVERAGE=1 (clang counts what runs, in build/coverage),
# CC, CLANGXX (a clang++ from 15 on, for the kernels), PREFIX and DESTDIR (for install). To compile for another
# system: OS, ARCH, and HOST_CC for what runs during the build; see build-macos.

SANITIZE ?=
COVERAGE ?=
BUILD    ?= $(if $(SANITIZE),build/asan,$(if $(COVERAGE),build/coverage,build))
CC       ?= cc
HOST_CC  ?= $(CC)
CLANGXX  ?= $(firstword $(foreach v,-19 -18 -17 -16 -15 ,$(shell command -v clang++$(v))) clang++)
CLANG    := $(subst clang++,clang,$(CLANGXX))
PREFIX   ?= /usr/local
VERSION  := $(shell sed -n 's/^\#define LLM_VERSION "\(.*\)"/\1/p' include/metal_llm.h)
ARCH     := $(shell uname -m)
OS       := $(shell uname -s)

comma := ,
sanitize_flags := $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
# The counters lie in the files (%c): those of a process that is ended count, too.
coverage_flags := $(if $(COVERAGE),-fprofile-instr-generate=$(CURDIR)/$(BUILD)/profiles/%c%m.profraw -fcoverage-mapping -mllvm -runtime-counter-relocation -Wno-unused-command-line-argument)
CPPFLAGS := -D_GNU_SOURCE -Iinclude -Isrc -I$(BUILD) -Imsl -Imsl/cpu -Imsl/simt -Imsl/strict -MMD -MP
CFLAGS   ?= -O2 -g
# What distributions harden programs with; the sanitizers have checks of their own.
ifeq ($(OS),Linux)
  fortify  := $(if $(SANITIZE)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  CFLAGS   += $(fortify) -fstack-protector-strong
  LDFLAGS  += -Wl,-z,relro,-z,now
endif
CFLAGS   += -std=c11 -Wall -Wextra -Werror -fPIC -pthread $(sanitize_flags) $(coverage_flags)
LDLIBS   := -lcjson -lpcre2-8 -lutf8proc -lm -pthread -ldl
ifneq ($(filter Darwin iOS,$(OS)),)
  brew     := $(shell brew --prefix 2>/dev/null)
  CPPFLAGS += -I$(brew)/include -DACCELERATE_NEW_LAPACK
  LDLIBS   := -L$(brew)/lib -lcjson -lpcre2-8 -lutf8proc $(addprefix -framework ,Accelerate Foundation Metal MetalPerformanceShaders)
  # Without it there is no default device for a program without windows.
  LDLIBS   += -framework CoreGraphics
  SHARED   := libmetal-llm.dylib
  SONAME   := libmetal-llm.$(basename $(VERSION)).dylib
else
  SHARED   := libmetal-llm.so
  SONAME   := libmetal-llm.so.$(basename $(VERSION))
endif

# The command's alone: `serve` listens with it.
COMMAND_LIBS := -lmicrohttpd

# The kernels' rules: reassociation is allowed, −∞ and NaN keep their meaning.
KERNEL_FLAGS := -std=c++17 -x c++ -fPIC -g -Wall -Wextra -Wno-unknown-attributes -Wno-unused-function -Wno-unused-const-variable \
    -Wno-unknown-warning-option -Wno-pass-failed -fassociative-math -fno-signed-zeros -fno-trapping-math -fno-math-errno \
    -ffp-contract=fast -fsigned-char
# Short loops of fixed length are vectorised, not unrolled first.
CPU_FLAGS  := -O3 -mllvm -unroll-full-max-count=8 -Imsl/cpu -Imsl/common $(sanitize_flags)
# Under the sanitizers that is so of the level that this machine runs; what it does not run is only compiled.
own_level  := $(if $(SANITIZE),$(shell grep -qw avx512_vnni /proc/cpuinfo && echo v4 v4_vnni || { grep -qw avx2 /proc/cpuinfo && echo v3 || echo v2; }))
left_plain  = $(if $(SANITIZE),$(if $(filter $(own_level) neon% generic,$(1)),,-fno-sanitize=all))
SIMT_FLAGS := --config msl/simt/flags -Imsl/simt -Imsl/common $(sanitize_flags)
ifeq ($(ARCH),x86_64)
  LEVELS := v2 v3 v4
  # As many lanes as a register has floats: for half floats clang's own choice is four.
  lanes_v2 := 4
  lanes_v3 := 8
  lanes_v4 := 16
  # With dot products of bytes, for which the integer kernels are compiled once more.
  BYTE_LEVELS := v3_vnni v4_vnni
  with_v3_vnni := -mavxvnni
  with_v4_vnni := -mavx512vnni
  level_flags = -march=x86-64-$(base_level) $(with_$(1)) -mprefer-vector-width=512 -mllvm -force-vector-width=$(lanes_$(base_level))
else ifneq ($(filter aarch64 arm64,$(ARCH)),)
  LEVELS      := neon
  BYTE_LEVELS := neon_dotprod neon_i8mm
  with_neon_dotprod := +dotprod
  with_neon_i8mm    := +dotprod+i8mm
  # Every Mac with such a processor computes in halves.
  base_arch   := $(if $(filter Darwin,$(OS)),armv8.2-a+fp16,armv8-a)
  level_flags  = -march=$(base_arch)$(with_$(1))
else
  LEVELS := generic
  level_flags =
endif
base_level = $(firstword $(subst _, ,$(1)))

# On iOS the GPU is the only device: no kernels for the CPU, no code for other GPUs.
METAL_ONLY := $(filter iOS,$(OS))
CPPFLAGS   += $(if $(METAL_ONLY),-DMETAL_LLM_METAL_ONLY)

KERNELS := $(sort $(wildcard kernels/*.metal)) $(sort $(wildcard kernels/*/*.metal))
HEADERS := $(sort $(wildcard kernels/*/*.h))
names   := $(KERNELS:kernels/%.metal=%)
byte_names := $(filter fast/integer_%,$(names))
BIND    := $(filter-out msl/bind/main.c,$(wildcard msl/bind/*.c))
METAL   := $(addprefix src/device/metal_,context.c compile.c facts.c matrix.c objc.c)
OTHERS  := $(wildcard src/device/cuda_*.c src/device/cpu_*.c src/device/simt_*.c) src/cache_folder.c
left_out := $(if $(filter Darwin iOS,$(OS)),$(if $(METAL_ONLY),$(OTHERS)),$(METAL))
SOURCES := $(filter-out $(left_out),$(wildcard src/*.c src/*/*.c)) $(BIND) $(if $(METAL_ONLY),,$(wildcard msl/simt/*.c))
COMMAND_SOURCES := $(wildcard cli/*.c cli/serve/*.c)

objects := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/kernel_table.o
ifeq ($(METAL_ONLY),)
  objects += $(BUILD)/cuda_headers.o $(BUILD)/cuda_parts.o \
      $(foreach t,$(LEVELS:%=cpu_%) simt,$(BUILD)/$(t)_entries.o $(names:%=$(BUILD)/kernels/$(t)/%.o)) \
      $(foreach t,$(BYTE_LEVELS:%=cpu_%),$(BUILD)/$(t)_entries.o $(byte_names:%=$(BUILD)/kernels/$(t)/%.o))
endif
kernel_objects  := $(filter $(BUILD)/kernels/%,$(objects))
command_objects := $(COMMAND_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/serve_texts.o $(BUILD)/page_texts.o $(BUILD)/doc_texts.o

.PHONY: help wheel test-mlx run-mlx test-openapi run-openapi test-lm-eval run-lm-eval setup build demo test test-long run-tests test-transformers run-transformers test-threads coverage run-coverage build-clang c-objects fuzz kernel-objects sanitized-kernels sanitize cross-check mutate bench lock examples build-macos build-ios build-arm replay-arm swift sources install uninstall version dist release deb site format check-format clean always
.DELETE_ON_ERROR:
.SECONDARY:

help:
	@echo 'make demo     install what is missing, build, and have the bundled model tell a story'
	@echo 'make test     install what is missing, build, and run all tests (SANITIZE=1: under ASan and UBSan)'
	@echo 'make test-long  the same with more: 10,000 texts of each vocabulary, models of more than 2^32 weights'
	@echo 'make build    build the command $(BUILD)/metal-llm and the library'
	@echo 'make setup    install what is missing (says what it runs)'
	@echo 'make strict   check that the kernels keep to what Apple'"'"'s compiler takes'
	@echo 'make bench    measure this machine: prefill and decode of the bundled model'
	@echo 'make examples build the programs of examples/'
	@echo 'make sanitize every kernel through metal-check on 100 random shapes (SHAPES=)'
	@echo 'make cross-check  metal-check and compute-sanitizer on the same kernels (needs an NVIDIA GPU)'
	@echo 'make mutate   take out every barrier, guard and initialiser of the kernels: metal-check must notice'
	@echo 'make fuzz     fuzz parsers, conversion and whole runs (SECONDS_EACH=15)'
	@echo 'make coverage  which lines the tests run'
	@echo 'make test-threads  pipelines in parallel, under the thread sanitizer'
	@echo 'make test-transformers  compare with Hugging Face transformers'
	@echo 'make test-mlx  metal-check under the tests of a package that uses MLX (its CPU build, from PyPI)'
	@echo 'make test-openapi  serve against what its /openapi.json says, by schemathesis'
	@echo 'make test-lm-eval  lm-eval asks serve a small task; MODEL=FILE: another model than the bundled one'
	@echo 'make wheel    metal-check for pip: any Linux with glibc from 2.28 on (compiled with zig), in build/wheel/dist; ARCH=aarch64: for ARM'
	@echo 'make build-macos, build-ios  compile for Apple Silicon on any system (with zig), and check what the program wants'
	@echo 'make build-arm  compile for Linux on ARM (with aarch64-linux-gnu-gcc)'
	@echo 'make swift    after a change of a kernel: write it into the Swift package, too'
	@echo 'make install  to PREFIX=$(PREFIX), with header, library and pkg-config file; make uninstall'
	@echo 'make dist     the source tarball, its checksums and bill of materials, in build/dist (release: also wheels; deb: Debian packages)'
	@echo 'make lock     after a change of a requirements.txt of the tests: lock versions and hashes anew'
	@echo 'make site     the documentation as a site with search, in build/site/html'
	@echo 'make format   format C, Metal and Python (check-format: say what needs it)'
	@echo 'make clean    remove $(BUILD)'

setup:
	@./setup.sh

demo: setup
	@$(MAKE) --no-print-directory build
	$(BUILD)/metal-llm run "Once upon a time"

bench: build
	$(BUILD)/metal-llm bench

# --- tests: DEVICE=cpu,simt,metal names the targets, SEED=n repeats a run, TESTS= selects ---

VENV  := build/venv
TESTS ?= tests

# What is installed is what was locked: versions and hashes, for Linux and macOS, from Python 3.10 on.
# Into a new environment $(1), for the recipe of a lock; $(2) are options of venv, $(3) of pip.
install_locked = echo '  VENV  $(1)' && $(SYSTEM_PYTHON) -m venv $(2) $(1) && \
    $(1)/bin/python -m pip install -q --disable-pip-version-check --require-hashes $(3) -r $<

$(VENV)/done: tests/requirements.lock
	@$(call install_locked,$(VENV))
	@touch $@

# Apple's own is too old for what is locked.
ifeq ($(shell uname -s),Darwin)
  SYSTEM_PYTHON ?= $(firstword $(foreach minor,13 12 11 10,$(shell command -v python3.$(minor))) python3)
endif
SYSTEM_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

UV := build/venv-uv/bin/uv

$(UV):
	@$(SYSTEM_PYTHON) -m venv build/venv-uv
	@build/venv-uv/bin/python -m pip install -q --disable-pip-version-check uv

lock_file = $(UV) pip compile -q --universal --python-version 3.10 --generate-hashes --no-annotate --upgrade \
    --custom-compile-command 'make lock' $(1)/requirements.txt -o $(1)/requirements.lock

lock: $(UV)
	@$(call lock_file,tests)
	@$(call lock_file,tests/format)
	@$(call lock_file,tests/site)
	@$(call lock_file,tests/apple)
	@$(call lock_file,tests/transformers)
	@$(call lock_file,tests/with_mlx)
	@$(call lock_file,tests/with_schemathesis)
	@$(call lock_file,tests/with_lm_eval)
	@$(call lock_file,python)
preload := $(if $(SANITIZE),LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so.6)" ASAN_OPTIONS=detect_leaks=0)

# The Metal target on Linux, against what stands in for Apple's frameworks there.
OBJC             ?= gcc
STAND_IN         := tests/apple/stand_in
stand_in         := $(if $(filter Linux,$(OS)),$(addprefix $(BUILD)/stand_in/,libmetal_llm_internal.so metal-llm))
stand_in_objects := $(filter-out $(BUILD)/src/device/device.o,$(objects)) $(BUILD)/stand_in/src/device/device.o $(METAL:%.c=$(BUILD)/%.o) \
    $(patsubst %,$(BUILD)/%.o,$(basename $(wildcard $(STAND_IN)/*.[mc])))
stand_in_libs    := -lobjc -Wl,--wrap=getpagesize

$(BUILD)/stand_in/src/device/device.o: src/device/device.c
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) -DMETAL_STAND_IN -c $< -o $@

$(BUILD)/$(STAND_IN)/%.o: $(STAND_IN)/%.m
	@mkdir -p $(@D)
	@echo '  OBJC $@'
	@$(OBJC) $(CPPFLAGS) $(filter-out $(coverage_flags),$(CFLAGS)) -c $< -o $@

$(BUILD)/$(STAND_IN)/%.o: $(STAND_IN)/%.c
	@mkdir -p $(@D)
	@echo '  OBJC $@'
	@$(OBJC) $(CPPFLAGS) $(filter-out $(coverage_flags),$(CFLAGS)) -c $< -o $@

$(BUILD)/stand_in/libmetal_llm_internal.so: $(stand_in_objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared $^ $(LDLIBS) $(stand_in_libs) -o $@

$(BUILD)/stand_in/metal-llm: $(command_objects) $(stand_in_objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) $(COMMAND_LIBS) $(stand_in_libs) -o $@

test:
	@./setup.sh test
	@$(MAKE) --no-print-directory run-tests

# As many cases as take minutes.
test-long:
	@LONG=1 $(MAKE) --no-print-directory test

# The whole suite runs in two processes, a file of tests in one of them.
workers := $(if $(filter tests,$(TESTS)),-n 2 --dist loadfile)

run-tests: build strict $(BUILD)/libmetal_llm_internal.so $(stand_in) $(VENV)/done
	@$(preload) BUILD=$(BUILD) CC="$(CC)" CLANGXX="$(CLANGXX)" $(VENV)/bin/python -m pytest -q -p no:cacheprovider --durations=20 --durations-min=8 $(workers) $(TESTS)

# Which lines of the C sources the suite runs; kernels are covered by mutation, not by lines.
coverage:
	@./setup.sh coverage
	@$(MAKE) --no-print-directory COVERAGE=1 CC=$(CLANG) BUILD=build/coverage run-coverage

covered := $(addprefix $(BUILD)/,libmetal_llm_internal.so stand_in/libmetal_llm_internal.so metal-llm metal-check strict_check)

run-coverage:
	@rm -rf $(BUILD)/profiles
	@mkdir -p $(BUILD)/share && ln -sfn $(CURDIR)/models $(BUILD)/share/metal-llm # for the stand-in's command
	@$(MAKE) --no-print-directory run-tests; echo $$? > $(BUILD)/tests_status
	@$(subst clang,llvm-profdata,$(notdir $(CLANG))) merge -sparse $(BUILD)/profiles/*.profraw -o $(BUILD)/profile
	@$(subst clang,llvm-cov,$(notdir $(CLANG))) export -summary-only -instr-profile=$(BUILD)/profile \
	    $(firstword $(covered)) $(patsubst %,-object %,$(wordlist 2,9,$(covered))) $(CURDIR)/src $(CURDIR)/cli $(CURDIR)/msl > $(BUILD)/coverage.json
	@$(VENV)/bin/python tests/coverage.py $(BUILD)/coverage.json
	@exit $$(cat $(BUILD)/tests_status)

# The comparison runs under the system's Python: Debian's PyTorch is for CPUs and small, and was built for numpy 1.
TRANSFORMERS := build/venv-transformers

$(TRANSFORMERS)/done: tests/transformers/requirements.lock
	@$(call install_locked,$(TRANSFORMERS),--system-site-packages)
	@touch $@

test-transformers:
	@./setup.sh torch
	@$(MAKE) --no-print-directory run-transformers

run-transformers: $(BUILD)/libmetal_llm_internal.so $(TRANSFORMERS)/done
	@$(preload) BUILD=$(BUILD) DEVICE=$${DEVICE:-cpu} $(TRANSFORMERS)/bin/python -m pytest -q -p no:cacheprovider tests/transformers/compare.py

# A suite with packages of its own, without what the others share.
alone := -m pytest -q -p no:cacheprovider --noconftest -o pythonpath=tests/support

# The pytest plug-in, on MLX's CPU build.
MLX := build/venv-mlx

$(MLX)/done: tests/with_mlx/requirements.lock
	@$(call install_locked,$(MLX))
	@touch $@

test-mlx:
	@./setup.sh test
	@$(MAKE) --no-print-directory run-mlx

run-mlx: $(BUILD)/metal-check $(MLX)/done
	@BUILD=$(BUILD) $(MLX)/bin/python $(alone) tests/with_mlx 'tests/test_check_pages.py::test_what_a_page_shows_is_what_one_sees[mlx]'

# What the server says that it takes and answers, and what it does.
SCHEMATHESIS := build/venv-schemathesis

$(SCHEMATHESIS)/done: tests/with_schemathesis/requirements.lock
	@$(call install_locked,$(SCHEMATHESIS))
	@touch $@

test-openapi:
	@./setup.sh test
	@$(MAKE) --no-print-directory run-openapi

run-openapi: build $(SCHEMATHESIS)/done
	@BUILD=$(BUILD) $(SCHEMATHESIS)/bin/python $(alone) tests/with_schemathesis

# lm-eval's own program asks the server. Its lock has all that it needs, but not under the names of extras: --no-deps.
LM_EVAL := build/venv-lm-eval

$(LM_EVAL)/done: tests/with_lm_eval/requirements.lock
	@$(call install_locked,$(LM_EVAL),,--no-deps)
	@touch $@

test-lm-eval:
	@./setup.sh test
	@$(MAKE) --no-print-directory run-lm-eval

run-lm-eval: build $(BUILD)/libmetal_llm_internal.so $(LM_EVAL)/done
	@BUILD=$(BUILD) $(if $(MODEL),MODEL=$(MODEL)) $(LM_EVAL)/bin/python $(alone) tests/with_lm_eval

# The C sources give no warning under clang either.
build-clang:
	@$(MAKE) --no-print-directory c-objects CC=$(CLANG) BUILD=build/clang

# --- fuzzing: each target for SECONDS_EACH, with clang's libFuzzer ---

SECONDS_EACH ?= 15
FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

# The whole library as an archive, of which a target takes what it calls; the kernels are those of SANITIZE=1.
fuzz_flags   := -std=c11 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz_objects  = $(patsubst $(BUILD)/%,$(BUILD)/fuzz/%,$(filter-out $(BUILD)/kernels/%,$(objects)) $(BUILD)/msl/check/array.o \
    $(filter-out %/main.o,$(command_objects)))
fuzz_kernels  = $(patsubst $(BUILD)/%,build/asan/%,$(kernel_objects))

$(BUILD)/fuzz/%.o: %.c | $(BUILD)/kernel_constants.h
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(fuzz_flags) -fsanitize=fuzzer-no-link -c $< -o $@

$(BUILD)/fuzz/%.o: $(BUILD)/%.c
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(fuzz_flags) -c $< -o $@

kernel-objects: $(kernel_objects)
ifndef SANITIZE
sanitized-kernels:
	@$(MAKE) --no-print-directory SANITIZE=1 BUILD=build/asan kernel-objects

$(fuzz_kernels): sanitized-kernels ;
endif

$(BUILD)/fuzz/libmetal-llm.a: $(fuzz_objects) $(fuzz_kernels)
	@echo '  AR   $@'
	@rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/fuzz/libmetal-llm.a
	@mkdir -p $(@D)
	@echo '  FUZZ $@'
	@$(CLANG) $(CPPFLAGS) -MF $@.d $(fuzz_flags) -fsanitize=fuzzer $< $(BUILD)/fuzz/libmetal-llm.a $(LDLIBS) $(COMMAND_LIBS) -o $@

$(BUILD)/fuzz/seeds: tests/fuzz/seeds.py tests/support/families.py tests/support/models.py $(VENV)/done
	@$(VENV)/bin/python $< $@ && touch $@

run-fuzz-%: $(BUILD)/fuzz/fuzz_% $(BUILD)/fuzz/seeds
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	@echo '  RUN   fuzz_$*, $(SECONDS_EACH) s'
	@ASAN_OPTIONS=allocator_may_return_null=1 $< -max_total_time=$(SECONDS_EACH) -timeout=20 -rss_limit_mb=4096 -artifact_prefix=$(BUILD)/fuzz/ \
	    $(addprefix -dict=,$(wildcard tests/fuzz/$*.dict)) $(BUILD)/fuzz/corpus/$* $$(ls -d tests/fuzz/$* $(BUILD)/fuzz/seeds/$* 2>/dev/null) \
	    2> $(BUILD)/fuzz/$*.log || { cat $(BUILD)/fuzz/$*.log; exit 1; }

fuzz: $(FUZZERS:%=run-fuzz-%)
	@echo '  $(words $(FUZZERS)) targets fuzzed, no finding'

# --- threads: the library under the thread sanitizer, several pipelines in parallel ---

thread_flags := -std=c11 -O1 -g -fsanitize=thread
thread_objects = $(patsubst $(BUILD)/%,$(BUILD)/threads/%,$(filter-out $(kernel_objects),$(objects)))

$(BUILD)/threads/%.o: %.c | $(BUILD)/kernel_constants.h
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(thread_flags) -c $< -o $@

$(BUILD)/threads/%.o: $(BUILD)/%.c
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(thread_flags) -c $< -o $@

$(BUILD)/threads/stress: tests/pipelines_stress.c $(thread_objects) $(kernel_objects)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(thread_flags) $(filter-out %.h,$^) $(LDLIBS) -o $@

$(BUILD)/threads/metal-llm: $(command_objects:$(BUILD)/%=$(BUILD)/threads/%) $(thread_objects) $(kernel_objects)
	@echo '  CC   $@'
	@$(CLANG) $(CPPFLAGS) $(thread_flags) $^ $(LDLIBS) $(COMMAND_LIBS) -o $@

test-threads: $(BUILD)/threads/stress $(BUILD)/threads/metal-llm $(BUILD)/libmetal_llm_internal.so $(VENV)/done
	@$< models/tales.gguf
	@BUILD=$(BUILD) CC="$(CLANG)" SERVER=$(BUILD)/threads/metal-llm $(VENV)/bin/python -m pytest -q -p no:cacheprovider \
	    tests/test_thread_pool.py tests/test_serve_load.py

metal_check := $(if $(filter Linux,$(OS)),$(BUILD)/metal-check)
build: $(metal_check) $(BUILD)/metal-llm $(BUILD)/libmetal-llm.a $(BUILD)/$(SHARED)

# --- the binder and what it writes ---

$(BUILD)/bind: $(BIND) msl/bind/main.c $(wildcard msl/bind/*.h) src/device/kernel.h
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(HOST_CC) $(CFLAGS) -D_GNU_SOURCE -Isrc -Imsl $(filter %.c,$^) -o $@

bind := $(BUILD)/bind -I kernels

# A target's own parts/ stand in for those of kernels/.
$(BUILD)/kernels/cpu/%.cpp: kernels/%.metal $(BUILD)/bind
	@mkdir -p $(@D)
	@echo '  BIND $@'
	@$(BUILD)/bind -I msl/cpu -I kernels -M $@ source $< > $@

$(BUILD)/kernels/simt/%.cpp: kernels/%.metal $(BUILD)/bind
	@mkdir -p $(@D)
	@echo '  BIND $@'
	@$(bind) -M $@ source $< > $@

# What is made of all kernels is made again when one of them has gone, too.
$(BUILD)/kernel_files: always
	@mkdir -p $(@D)
	@echo '$(KERNELS) $(HEADERS)' | cmp -s - $@ || echo '$(KERNELS) $(HEADERS)' > $@

$(BUILD)/kernel_table.c: $(KERNELS) $(HEADERS) $(BUILD)/kernel_files $(BUILD)/bind
	@echo '  BIND $@'
	@$(bind) table $(KERNELS) $(HEADERS) > $@

$(BUILD)/%_entries.c: $(KERNELS) $(HEADERS) $(BUILD)/kernel_files $(BUILD)/bind
	@echo '  BIND $@'
	@$(bind) entries $* $(KERNELS) > $@

# The C sources see it through its modification time, which only a change of a constant moves.
$(BUILD)/kernel_constants.h: $(BUILD)/kernel_constants.made ;
$(BUILD)/kernel_constants.made: $(KERNELS) $(HEADERS) $(BUILD)/kernel_files $(BUILD)/bind
	@echo '  BIND $(@:made=h)'
	@$(bind) constants $(KERNELS) > $@
	@cmp -s $@ $(@:made=h) || cp $@ $(@:made=h)

define cpu_level
$(BUILD)/kernels/cpu_$(1)/%.o: $(BUILD)/kernels/cpu/%.cpp
	@mkdir -p $$(@D)
	@echo '  CXX  $$@'
	@$$(CLANGXX) $$(KERNEL_FLAGS) $$(CPU_FLAGS) $(call level_flags,$(1)) $(call left_plain,$(1)) -DMSL_PREFIX=cpu_$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach level,$(LEVELS) $(BYTE_LEVELS),$(eval $(call cpu_level,$(level))))

# All but the kernels of fast/integer_*.metal, which begin with the file's name, are those of the level without dot products of bytes.
define byte_level
$(BUILD)/cpu_$(1)_entries.c: $(BUILD)/cpu_$(base_level)_entries.c
	@echo '  BIND $$@'
	@sed $(foreach name,entries $(byte_names:fast/%=%),-e 's/cpu_$(base_level)_$(name)/cpu_$(1)_$(name)/') $$< > $$@
endef
$(foreach level,$(BYTE_LEVELS),$(eval $(call byte_level,$(level))))

$(BUILD)/kernels/simt/%.o: $(BUILD)/kernels/simt/%.cpp
	@mkdir -p $(@D)
	@echo '  CXX  $@'
	@$(CLANGXX) $(KERNEL_FLAGS) $(SIMT_FLAGS) -DMSL_PREFIX=simt -MMD -MP -c $< -o $@

# --- the strict check of the kernels' language ---

STRICT_HEADERS := $(addprefix msl/strict/,metal_stdlib metal_matrix metal_type_traits flags)

strict_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard msl/strict/*.c) $(BIND))

$(BUILD)/strict_check: $(strict_objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/kernels/%.strict: kernels/%.metal $(STRICT_HEADERS) $(BUILD)/bind $(BUILD)/strict_check
	@mkdir -p $(@D)
	@echo '  STRICT $<'
	@$(bind) -M $@ strict $< > $@.cl
	@$(CLANGXX) --config msl/strict/flags -Imsl/strict -Xclang -ast-dump=json $@.cl > $@.json 2> $@.log || true
	@$(BUILD)/strict_check $@.json $@.log
	@mv $@.json $@

strict: $(names:%=$(BUILD)/kernels/%.strict)

# --- metal-check: the SIMT target with a checker before every load and store; for Linux ---

check_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard msl/check/*.c) $(BIND) $(wildcard msl/simt/*.c) \
    msl/strict/strict.c msl/strict/messages.c src/error.c src/output_file.c src/utf8.c src/cache_folder.c) $(BUILD)/simt_headers.o $(BUILD)/strict_headers.o
$(BUILD)/msl/check/hooks.o: CFLAGS += -fno-omit-frame-pointer

$(BUILD)/simt_headers.c: $(addprefix msl/simt/,metal_stdlib simt.h textures.h texture_types.h library.h logging.h quadgroup.h simdgroup_matrix.h flags) $(wildcard msl/common/*.h) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts simt_header $(filter-out %/bind,$^) > $@

# The pages that the command writes.
$(BUILD)/page_texts.c: $(wildcard cli/page/*) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts page_text $(filter-out %/bind,$^) > $@

# The pages about kernels, which `serve` shows beside them.
$(BUILD)/doc_texts.c: $(wildcard docs/kernels/*.md) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts doc_text $(filter-out %/bind,$^) > $@

# msl/cuda/ replaces the atomics of msl/common/.
$(BUILD)/cuda_headers.c: $(wildcard msl/cuda/*.h) msl/cuda/metal_stdlib $(filter-out %/atomic.h %/swizzles.h %/traits.h,$(wildcard msl/common/*.h)) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts cuda_header $(filter-out %/bind,$^) > $@

# What `serve` sends as it is.
$(BUILD)/serve_texts.c: $(wildcard cli/serve/*.json) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts serve_text $(filter-out %/bind,$^) > $@

$(BUILD)/cuda_parts.c: $(wildcard msl/cuda/parts/*.h) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind -I msl/cuda texts cuda_part $(filter-out %/bind,$^) > $@

$(BUILD)/strict_headers.c: $(STRICT_HEADERS) $(BUILD)/bind
	@echo '  BIND $@'
	@$(BUILD)/bind texts strict_header $(filter-out %/bind,$^) > $@

CHECK_LIBS ?= -ldw -lseccomp -lcjson

# The kernels that it loads call back into it.
$(BUILD)/metal-check: $(check_objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic $^ $(CHECK_LIBS) -lm -ldl -o $@

# SHAPES= random shapes of each kernel, ONLY= these kernels.
sanitize: $(BUILD)/metal-check $(VENV)/done
	@BUILD=$(BUILD) CLANGXX="$(CLANGXX)" $(VENV)/bin/python tests/sanitize.py --shapes $(or $(SHAPES),100) $(ONLY)

# On a machine with an NVIDIA GPU; ARCHITECTURE=90 is sm_90.
$(BUILD)/cross_check.json: $(BUILD)/metal-check $(BUILD)/libmetal_llm_internal.so $(VENV)/done $(KERNELS) $(wildcard tests/cuda/*.py tests/check/wrong/*)
	@echo '  PLAN $@'
	@BUILD=$(BUILD) CLANGXX="$(CLANGXX)" $(VENV)/bin/python tests/cuda/plan.py $@ --architecture $(or $(ARCHITECTURE),90)

cross-check: $(BUILD)/cross_check.json
	@$(VENV)/bin/python tests/cuda/cross_check.py $< $(BUILD)/cross_check

mutate: $(BUILD)/metal-check $(VENV)/done
	@BUILD=$(BUILD) CLANGXX="$(CLANGXX)" $(VENV)/bin/python tests/mutate.py $(if $(SHAPES),--shapes $(SHAPES)) $(if $(ONE_IN),--one-in $(ONE_IN))

# --- the library and the command ---

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/%.o: $(BUILD)/%.c
	@echo '  CC   $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# Only the functions of metal_llm.h are visible, in the shared library and in the static one, which
# is a single object for that. (From another system, an archive for Apple's is what ar makes of it.)
native  := $(filter $(OS),$(shell uname -s))
OBJCOPY ?= objcopy

$(BUILD)/whole/metal-llm.o: $(objects)
	@mkdir -p $(@D)
	@echo '  LD   $@'
ifeq ($(OS),Darwin)
	@echo '_llm_*' > $(@D)/exports.list
	@ld -r -exported_symbols_list $(@D)/exports.list $^ -o $@
else
	@$(CC) -r -nostdlib $^ -o $@
	@$(OBJCOPY) --wildcard --keep-global-symbol='llm_*' $@
endif

$(BUILD)/libmetal-llm.a: $(if $(native),$(BUILD)/whole/metal-llm.o,$(objects))
	@rm -f $@
	@echo '  AR   $@'
	@$(AR) rcs $@ $^

$(BUILD)/libmetal-llm.so: $(objects)
	@echo '{ global: llm_*; local: *; };' > $(BUILD)/exports.map
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(BUILD)/exports.map $^ $(LDLIBS) -o $@

$(BUILD)/libmetal-llm.dylib: $(objects)
	@echo '_llm_*' > $(BUILD)/exports.list
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-install_name,$(PREFIX)/lib/$(SONAME) \
	    -Wl,-exported_symbols_list,$(BUILD)/exports.list $^ $(LDLIBS) -o $@

# For the tests: every internal function.
$(BUILD)/libmetal_llm_internal.so: $(objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared $^ $(LDLIBS) -o $@

$(BUILD)/metal-llm: $(command_objects) $(objects)
	@echo '  CC   $@'
	@$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) $(COMMAND_LIBS) -o $@

examples: $(patsubst %,$(BUILD)/%,$(basename $(wildcard examples/*.c examples/*.cpp)))

$(BUILD)/examples/%: examples/%.c $(BUILD)/libmetal-llm.a
	@mkdir -p $(@D)
	@echo '  CC   $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/examples/%: examples/%.cpp $(BUILD)/libmetal-llm.a
	@mkdir -p $(@D)
	@echo '  CXX  $@'
	@$(CXX) -std=c++17 -O2 -Wall -Wextra -Werror $(if $(SANITIZE),-fsanitize=address$(comma)undefined) $(CPPFLAGS) $^ $(LDLIBS) -o $@

# --- Apple's systems, from any other: compiled with zig, linked with stubs of what it does not carry ---

APPLE := build/apple
SDK   := tests/apple/sdk
ZIG   := $(APPLE)/venv/bin/python -m ziglang
zig_headers = $(firstword $(wildcard $(CURDIR)/$(APPLE)/venv/lib/python3*/site-packages/ziglang/lib/libc/include/any-macos-any))
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/$(APPLE)/cache
export ZIG_LOCAL_CACHE_DIR  := $(CURDIR)/$(APPLE)/cache

# The headers of cJSON, PCRE2, utf8proc and libmicrohttpd are the same everywhere.
$(APPLE)/done: tests/apple/requirements.lock $(shell find $(SDK) -type f)
	@$(call install_locked,$(APPLE)/venv)
	@cp -R $(SDK) $(APPLE)
	@ln -sf $$(pkg-config --variable=includedir libcjson)/cjson $$(pkg-config --variable=includedir libpcre2-8)/pcre2.h \
	    $$(pkg-config --variable=includedir libutf8proc)/utf8proc.h $$(pkg-config --variable=includedir libmicrohttpd)/microhttpd.h \
	    $(APPLE)/sdk/include
	@touch $@

# $(1) system, $(2) folder, $(3) target of zig, $(4) of clang
for_apple = $(MAKE) --no-print-directory OS=$(1) ARCH=arm64 BUILD=build/$(2) brew=$(APPLE)/sdk HOST_CC='$(CC)' \
    CC='$(ZIG) cc -target aarch64-$(3) -isystem $(zig_headers) -F$(APPLE)/sdk/Frameworks -fno-sanitize=undefined -Wno-unused-command-line-argument' \
    AR='$(ZIG) ar' CLANGXX='$(CLANGXX) --target=arm64-apple-$(4) -nostdlibinc -idirafter $(zig_headers)'

build-macos: $(APPLE)/done
	@+$(call for_apple,Darwin,macos,macos.13.0,macos13.0) build/macos/metal-llm
	@$(SYSTEM_PYTHON) tests/apple/symbols.py build/macos/metal-llm tests/apple/symbols.txt

build-ios: $(APPLE)/done
	@+$(call for_apple,iOS,ios,ios.16.0,ios16.0) build/ios/libmetal-llm.a
	@$(SYSTEM_PYTHON) tests/apple/symbols.py build/ios/libmetal-llm.a tests/apple/symbols.txt

# --- Linux on ARM from another processor, with Debian's cross compiler: the command, and for tests/test_cpu_arm.py
# the kernels that ARM's levels differ in, in a program of their own ---

ARM := build/arm
arm_libraries := $(ARM)/libraries/usr/lib/aarch64-linux-gnu
of_arm := libcjson-dev libcjson1 libpcre2-dev libpcre2-8-0 libutf8proc-dev libutf8proc2 libmicrohttpd-dev \
    libmicrohttpd12 libopenblas0-pthread libgfortran5 libgnutls30 libhogweed6 libnettle8 libgmp10 libp11-kit0 \
    libffi8 libidn2-0 libunistring2 libtasn1-6
for_arm = $(MAKE) --no-print-directory ARCH=aarch64 HOST_CC='$(CC)' CLANGXX='$(CLANGXX) --target=aarch64-linux-gnu'

$(arm_libraries): python/libraries.sh
	@echo '  APT  $(ARM)/libraries'
	@rm -rf $(ARM)/libraries && python/libraries.sh aarch64 $(ARM)/libraries $(of_arm) && touch $@

# The header of OpenBLAS, which is opened at run time, is the same everywhere.
build-arm: $(arm_libraries)
	@+$(for_arm) BUILD=$(ARM) CC='aarch64-linux-gnu-gcc -isystem $(ARM)/libraries/usr/include -isystem $(shell pkg-config --variable=includedir openblas)' \
	    LDFLAGS='-L$(arm_libraries) -Wl,-rpath-link,$(arm_libraries)' $(ARM)/metal-llm

replay-arm:
	@+$(for_arm) BUILD=$(ARM)/few KERNELS='$(byte_names:%=kernels/%.metal)' CC=aarch64-linux-gnu-gcc $(ARM)/few/replay

$(BUILD)/replay: tests/arm/replay.c $(addprefix $(BUILD)/,src/device/cpu_level.o src/error.o src/utf8.o kernel_table.o) $(filter $(BUILD)/cpu_%,$(objects)) \
    $(filter $(BUILD)/kernels/cpu_%,$(objects))
	@echo '  CC   $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -static $^ -o $@

# --- metal-check as a Python wheel: compiled with zig against an old glibc; libdw and libseccomp are linked into it,
# libcjson, which Debian has only as a shared library, lies beside it. ARCH=aarch64 makes one for another processor ---

WHEEL     := build/wheel
of_wheel  := libdw-dev libelf-dev libseccomp-dev zlib1g-dev liblzma-dev libbz2-dev libcjson1
WHEEL_ZIG := $(CURDIR)/$(WHEEL)/venv/bin/python -m ziglang
native_arch := $(shell uname -m)
LIBRARIES   := $(if $(filter $(native_arch),$(ARCH)),,$(CURDIR)/$(WHEEL)/$(ARCH)-libraries)/usr/lib/$(ARCH)-linux-gnu

$(WHEEL)/done: python/requirements.lock
	@$(call install_locked,$(WHEEL)/venv)
	@mkdir -p $(WHEEL)/include
	@ln -sfn $$(pkg-config --variable=includedir libcjson)/cjson $(WHEEL)/include/cjson
	@ln -sf $(addprefix /usr/include/,dwarf.h libelf.h gelf.h seccomp.h seccomp-syscalls.h) $(WHEEL)/include
	@ln -sfn /usr/include/elfutils $(WHEEL)/include/elfutils
	@touch $@

$(WHEEL)/%-libraries/usr/lib: python/libraries.sh
	@echo '  APT  $(WHEEL)/$*-libraries'
	@rm -rf $(WHEEL)/$*-libraries && python/libraries.sh $* $(WHEEL)/$*-libraries $(of_wheel) && touch $@

wheel: $(WHEEL)/done $(if $(filter $(native_arch),$(ARCH)),,$(WHEEL)/$(ARCH)-libraries/usr/lib)
	@+$(MAKE) --no-print-directory BUILD=$(WHEEL)/$(ARCH) HOST_CC='$(CC)' CLANGXX='$(CLANGXX)' \
	    CC='$(WHEEL_ZIG) cc -target $(ARCH)-linux-gnu.2.28 -isystem $(CURDIR)/$(WHEEL)/include -fno-sanitize=undefined' \
	    LDFLAGS='-s -Wl,-rpath,\$$$$ORIGIN' \
	    CHECK_LIBS='$(addprefix $(LIBRARIES)/,libdw.a libelf.a libseccomp.a libz.a liblzma.a libbz2.a libcjson.so.1)' $(WHEEL)/$(ARCH)/metal-check
	@rm -rf python/build python/*.egg-info
	@METAL_CHECK_BINARY=$(CURDIR)/$(WHEEL)/$(ARCH)/metal-check METAL_CHECK_LIBRARIES=$(LIBRARIES)/libcjson.so.1 \
	    METAL_CHECK_PLATFORM=manylinux_2_28_$(ARCH) $(WHEEL)/venv/bin/python -m build --wheel --no-isolation --outdir $(WHEEL)/dist python
	@rm -rf python/build python/*.egg-info
	@ls $(WHEEL)/dist/*.whl

# --- the Swift package: the table of kernels is checked in, since SwiftPM has no binder ---

swift: $(BUILD)/kernel_table.c $(BUILD)/kernel_constants.h
	cp $^ swift

sources:
	@echo $(SOURCES)

# --- install ---

root := $(DESTDIR)$(PREFIX)

# A program finds the shared library where it was installed, unless every program looks there anyway.
# pkg-config --static links the static one first, so that nothing is wanted of the shared one.
rpath     := $(if $(filter Darwin,$(OS))$(filter /usr /usr/local,$(PREFIX)),,-Wl$(comma)-rpath$(comma)$${libdir})
as_needed := -Wl,$(if $(filter Darwin,$(OS)),-dead_strip_dylibs,--as-needed)
pc_files  := metal-llm.pc metal-llm-shared.pc
fill_pc    = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@AS_NEEDED@|$(as_needed)|' \
    -e 's|@RPATH@|$(rpath)|' -e 's|@LIBS@|$(filter-out -lcjson -lpcre2-8 -lutf8proc,$(LDLIBS))|'

# What the command writes of itself, and where it is looked for.
manual      := share/man/man1/metal-llm.1
completions := share/bash-completion/completions/metal-llm share/zsh/site-functions/_metal-llm share/fish/vendor_completions.d/metal-llm.fish
of_command  := $(manual) $(completions)

$(BUILD)/$(manual): $(BUILD)/metal-llm
	@mkdir -p $(@D)
	@$< help --man > $@

$(addprefix $(BUILD)/,$(completions)): $(BUILD)/metal-llm
	@mkdir -p $(@D)
	@$< completion $(patsubst %-completion,%,$(word 2,$(subst /, ,$(@:$(BUILD)/%=%)))) > $@

install: build $(addprefix $(BUILD)/,$(of_command))
	install -d $(addprefix $(root)/,bin include lib/pkgconfig share/metal-llm $(dir $(of_command)))
	install -m 755 $(BUILD)/metal-llm $(metal_check) $(root)/bin
	install -m 644 include/metal_llm.h $(root)/include
	install -m 644 $(BUILD)/libmetal-llm.a $(root)/lib
	install -m 755 $(BUILD)/$(SHARED) $(root)/lib/$(SONAME)
	ln -sf $(SONAME) $(root)/lib/$(SHARED)
	$(foreach file,$(of_command),install -m 644 $(BUILD)/$(file) $(root)/$(file);)
	$(foreach pc,$(pc_files),$(fill_pc) $(pc).in > $(root)/lib/pkgconfig/$(pc);)
	$(foreach model,$(wildcard models/tales.gguf),install -m 644 $(model) $(root)/share/metal-llm)
	@[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true # where there is one, and we may

uninstall:
	rm -f $(addprefix $(root)/,bin/metal-llm bin/metal-check include/metal_llm.h lib/libmetal-llm.a lib/$(SONAME) lib/$(SHARED) \
	    $(addprefix lib/pkgconfig/,$(pc_files)) share/metal-llm/tales.gguf $(of_command))
	-rmdir $(root)/share/metal-llm

clean:
	rm -rf $(BUILD)

# --- releases: packaging/README.md ---

DIST       := build/dist
REPOSITORY ?= OWNER/metal-llm
source     := metal-llm-$(VERSION)
tarball    := $(DIST)/$(source).tar.gz

version:
	@echo $(VERSION)

# The same commit gives the same bytes.
$(tarball): always
	@mkdir -p $(DIST)
	@git archive --format=tar --prefix=$(source)/ HEAD | gzip -9n > $@

dist: $(tarball)
	@$(SYSTEM_PYTHON) packaging/sbom.py $(VERSION) $< > $(DIST)/metal-llm.cdx.json
	@sed -e 's|@REPOSITORY@|$(REPOSITORY)|g' -e 's|@VERSION@|$(VERSION)|g' \
	    -e "s|@SHA256@|$$(sha256sum $< | cut -d' ' -f1)|" packaging/homebrew/metal-llm.rb.in > $(DIST)/metal-llm.rb
	@cd $(DIST) && rm -f SHA256SUMS && sha256sum * > ../SHA256SUMS && mv ../SHA256SUMS .
	@ls $(DIST)

release:
	@rm -rf $(DIST) $(WHEEL)/dist
	@$(MAKE) --no-print-directory wheel
	@$(MAKE) --no-print-directory wheel ARCH=aarch64
	@mkdir -p $(DIST) && cp $(WHEEL)/dist/*.whl $(DIST)
	@$(WHEEL)/venv/bin/python -m build --wheel --no-isolation --outdir $(DIST) python/metal_llm
	@$(MAKE) --no-print-directory dist

# The changelog that Debian wants names the version, and the commit's date.
deb: $(tarball)
	@rm -rf build/deb && mkdir -p build/deb && tar -xzf $< -C build/deb
	@cp -R packaging/debian build/deb/$(source)/debian
	@printf 'metal-llm (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' $(VERSION) \
	    "$$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$$(git log -1 --format=%cD)" > build/deb/$(source)/debian/changelog
	@cp $< build/deb/metal-llm_$(VERSION).orig.tar.gz
	cd build/deb/$(source) && dpkg-buildpackage -us -uc -b
	@mv build/deb/*.deb $(DIST)

# --- the documentation as a site, in build/site/html ---

SITE := build/site

$(SITE)/venv/done: tests/site/requirements.lock
	@$(call install_locked,$(SITE)/venv)
	@touch $@

site: $(SITE)/venv/done
	@python3 packaging/site.py pages $(SITE)/pages
	@$(SITE)/venv/bin/mkdocs build --strict --quiet
	@python3 packaging/site.py check $(SITE)/html
	@echo '  SITE $(SITE)/html'

# --- format: C and Metal by clang-format, Python by ruff, in an environment that is there in seconds ---

FORMAT := build/venv-format

$(FORMAT)/done: tests/format/requirements.lock
	@$(call install_locked,$(FORMAT))
	@touch $@

# Not the headers that stand in for Metal's library: they are C++, laid out by hand as tables.
formatted = $(wildcard src/*.[ch] src/*/*.[ch] cli/*.[ch] cli/*/*.[ch] msl/*/*.c msl/bind/*.h msl/check/*.h msl/strict/*.h \
    include/*.h examples/*.c examples/*.cpp tests/*/*.c tests/*/*/*.c) $(KERNELS) $(HEADERS)
python    = python examples packaging tests training

format: $(FORMAT)/done
	@$(FORMAT)/bin/clang-format -i $(formatted)
	@$(FORMAT)/bin/ruff check -q --fix $(python)
	@$(FORMAT)/bin/ruff format -q $(python)

check-format: $(FORMAT)/done
	@$(FORMAT)/bin/clang-format --dry-run -Werror $(formatted)
	@$(FORMAT)/bin/ruff check -q $(python)
	@$(FORMAT)/bin/ruff format -q --diff $(python)

c_objects := $(sort $(filter-out $(BUILD)/kernels/%,$(objects)) $(command_objects) $(check_objects) $(strict_objects)) $(METAL:%.c=$(BUILD)/%.o)
c-objects: $(c_objects)

$(objects) $(command_objects) $(check_objects) $(strict_objects) $(stand_in_objects): Makefile | $(BUILD)/kernel_constants.h

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
