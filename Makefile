# Liger's build: GNU make, gcc or clang, Debian 12.
#
#     make                  everything in release mode, asserts on: build/liger, build/libliger.a, build/libliger.so
#     make bench            packages, build, then TPC-C over two host processes; BENCH_ARGS="..." adds options
#     make test             packages, build, then every test and check; the last line counts them
#     make yards            packages, build, then the table of speeds in yards; YARDS_ARGS="..." adds options
#     make emulation-sweep  packages, build, then TPC-C and YCSB under each delay profile; SWEEP_ARGS="..." adds options
#     make overload-sweep   packages, build, then YCSB with up to 126 clients, and what is left of its peak; SWEEP_ARGS
#     make check            the unit and pod tests alone
#     make check-asan check-ubsan check-tsan check-clang check-incoherent check-mutants check-crash-points
#     make torture          hosts and pods killed over and over, at random and at each named point; TORTURE_SEEDS=20
#     make check-cli check-log check-probe check-ligersim check-install check-lint check-hotpath check-model check-fuzz
#     make fuzz             libFuzzer over every target in turn; FUZZ_SECONDS=3600 of each. make fuzz-afl TARGET=ring: AFL++
#     make check-sim        the simulator: its own tests, then some thousand seeds; SIM_SEEDS=3000 SIM_SECONDS=90
#     make mutants          the simulator's table of mutants and what caught them
#     make soak             the simulator for long: SOAK_SEEDS=1000000 SOAK_FIRST=1
#     make test-vm          packages, build, then pods of real kernels in QEMU; `make vm` builds what scripts/vmpod.sh needs
#     make format format-check tidy
#     make install          PREFIX=/usr/local DESTDIR=
#     make clean
#
# Settings: CC=gcc|clang  ARCH=native (any -march)  LTO=0|1  WERROR=0|1  EMULATION=0|1
#
# One source tree, several variants of it, each in a directory of its own: release, asan, ubsan, tsan, clang, vm, mutants, sim. One
# template makes the rules of all, so one make knows every dependency. Nothing here runs pkg-config: the file must be
# readable on a machine that has no package yet.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
ARCH ?= native
# gcc writes "fat" objects, which hold machine code too: any linker can use them, and tests link without waiting for the
# optimiser. clang 14 has no such thing, so there it is off.
LTO ?= 1
# 0: no path of the engine knows of emulation (src/emulation stays, for libligersim).
EMULATION ?= 1
WERROR ?= $(if $(CI),1,0)
PREFIX ?= /usr/local
DESTDIR ?=
BENCH_ARGS ?=
YARDS_ARGS ?=
SWEEP_ARGS ?=
CALIBRATION_ARGS ?=

is_clang = $(findstring clang,$(notdir $(firstword $(1))))

# Where release lies, and whether clang is a variant beside it.
ifneq ($(call is_clang,$(CC)),)
O := build/clang
VARIANTS := release asan ubsan tsan vm mutants fuzz afl sim
else
O := build
VARIANTS := release asan ubsan tsan clang vm mutants fuzz afl sim
endif

VERSION := $(shell sed -n 's/^\#define LG_VERSION "\(.*\)"/\1/p' include/liger.h)
SONAME := libliger.so.0
SIM_VERSION := $(shell sed -n 's/^\#define LGS_VERSION *"\(.*\)"/\1/p' include/ligersim.h)
SIM_SONAME := libligersim.so.0

# ---- Sources ---------------------------------------------------------------------------------------------------------

LIB_SRC := $(wildcard src/*.c src/*/*.c)
# The yardstick is a program of its own, which knows nothing of Liger.
YARDSTICK_SRC := benchmarks/yards/yardstick.c
# So is the micro-benchmark of the tree; it uses the library's inside.
MICRO_SRC := benchmarks/micro/btree_micro.c
# And what the death of a host costs.
OUTAGE_SRC := benchmarks/outage/outage.c
BENCH_SRC := $(filter-out $(YARDSTICK_SRC) $(MICRO_SRC) $(OUTAGE_SRC),$(wildcard benchmarks/*.c benchmarks/*/*.c))
TOOL_SRC := $(wildcard tools/*.c)
# libligersim by itself, and the programs that use nothing else.
SIM_SRC := $(wildcard src/emulation/*.c)
EXAMPLE_SRC := $(wildcard examples/*.c)
# The simulator, and what of the engine it is built with: sim/os.c, sim/crash_point.c and sim/files.c stand for the files left out.
SIMULATOR_SRC := $(wildcard sim/*.c)
SIMULATED_SRC := $(filter-out src/cxl/process.c src/cxl/crash_point.c src/recovery/log_io_uring.c \
	src/emulation/ligersim%,$(LIB_SRC))
TEST_COMMON_SRC := $(wildcard tests/common/*.c)

# tests/KIND/NAME_test.c is a program; the other files of its folder and of tests/common are linked into each.
# tests/checker is a program and a library of its own, which knows nothing of Liger.
CHECKER_SRC := $(filter-out tests/checker/main.c,$(wildcard tests/checker/*.c))
CHECKER_MAIN := $(wildcard tests/checker/main.c)
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_HELPER_SRC := $(filter-out %_test.c,$(wildcard tests/unit/*.c)) $(TEST_COMMON_SRC)
POD_SRC := $(wildcard tests/pod/*_test.c tests/fault/*_test.c)
# tests/fuzz/fuzz_NAME.c is a fuzz target.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_HELPER_SRC := tests/fuzz/fuzz.c tools/cli.c
POD_HELPER_SRC := $(filter-out %_test.c,$(wildcard tests/pod/*.c)) $(TEST_COMMON_SRC)

FORMATTED := $(wildcard $(foreach d,include src src/* sim benchmarks benchmarks/* tools examples tests tests/*,$(d)/*.c $(d)/*.h))
TIDIED := $(LIB_SRC) $(BENCH_SRC) $(OUTAGE_SRC) $(TOOL_SRC) $(YARDSTICK_SRC) $(EXAMPLE_SRC) $(SIMULATOR_SRC)

# ---- Flags -----------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
INCLUDES := -Iinclude -Isrc -Ibenchmarks
DIALECT := -std=gnu11 -D_GNU_SOURCE
# The library's objects serve both the archive and the shared library, hence -fPIC; -fno-semantic-interposition lets the
# compiler inline across its own public calls all the same. The shared library's exports are in scripts/libliger.map.
BASE_FLAGS := $(DIALECT) -g -fPIC -fno-semantic-interposition -pthread -DLG_EMULATION=$(EMULATION)
LIB_LIBS := -lcjson -lnuma -luring -lisal -lzstd -lpthread -lrt -lm
SIM_LIBS := -lcjson -pthread -lrt -lm
TOOL_LIBS := -lcjson
TEST_LIBS := -lcjson -lcmocka

# Per variant: directory, compiler, flags, link flags of the tool and the shared library, allocator.
dir.release := $(O)
cc.release := $(CC)
cflags.release := -O3 -march=$(ARCH)
ldflags.release :=
ifeq ($(LTO)$(call is_clang,$(CC)),1)
cflags.release += -flto=auto -ffat-lto-objects
ldflags.release += -flto=auto
testldflags.release := -fno-lto
endif
malloc.release := -ljemalloc
werror.release := $(WERROR)

# jemalloc and the sanitizers both want to be malloc: the library takes the C library's there.
sanitized = -O1 -march=$(ARCH) -fno-omit-frame-pointer -DLG_HEAP_MALLOC
dir.asan := $(O)/asan
cc.asan := $(CC)
cflags.asan := $(sanitized) -fsanitize=address
ldflags.asan := -fsanitize=address

dir.ubsan := $(O)/ubsan
cc.ubsan := $(CC)
cflags.ubsan := $(sanitized) -fsanitize=undefined -fno-sanitize-recover=all
ldflags.ubsan := -fsanitize=undefined

# gcc warns of atomic_thread_fence() under ThreadSanitizer, which does not see it; src/cxl knows (port.h).
dir.tsan := $(O)/tsan
cc.tsan := $(CC)
cflags.tsan := $(sanitized) -fsanitize=thread \
	$(if $(call is_clang,$(CC)),-mllvm -tsan-instrument-memory-accesses=0 -mllvm -tsan-instrument-func-entry-exit=0,-Wno-tsan \
	--param tsan-instrument-func-entry-exit=0)
ldflags.tsan := -fsanitize=thread

dir.clang := build/clang
cc.clang := clang
cflags.clang := -O2 -march=$(ARCH)
malloc.clang := -ljemalloc
werror.clang := 1

# For the guests of scripts/vmpod.sh: an emulated CPU knows less than the one that builds.
dir.vm := $(O)/vm
cc.vm := $(CC)
cflags.vm := -O2 -march=x86-64-v2
malloc.vm := -ljemalloc
werror.vm := $(WERROR)

# A build that can leave out one step of a protocol, named by LIGER_MUTANT when it runs (src/cxl/mutant.h).
dir.mutants := $(O)/mutants
cc.mutants := $(CC)
cflags.mutants := -O2 -march=$(ARCH) -DLG_MUTANTS
malloc.mutants := -ljemalloc

# Fuzzing: libFuzzer, and AFL++ with the same entry points.
dir.fuzz := $(O)/fuzz
cc.fuzz := clang
cflags.fuzz := $(sanitized) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ldflags.fuzz := -fsanitize=fuzzer,address,undefined

dir.afl := $(O)/afl
cc.afl := afl-clang-fast
cflags.afl := $(sanitized)
ldflags.afl := -fsanitize=fuzzer

# What `liger sim` runs: the engine behind the seam (sim/seam.h), able to leave steps out. Variables get a pattern, so that not even
# what nobody reads differs between two runs of a seed.
dir.sim := $(O)/sim
cc.sim := $(CC)
cflags.sim = -O2 -march=$(ARCH) -DLG_HEAP_MALLOC -DLG_MUTANTS -DLG_EXTENT_LOG2=17 -ULG_EMULATION -DLG_EMULATION=1 \
	-ftrivial-auto-var-init=pattern $(seam)
# Atomics of the engine become calls, which sim/atomics.c answers: there is no sanitizer. gcc warns of fences, as above.
simulated := -include sim/seam.h -fsanitize=thread \
	$(if $(call is_clang,$(CC)),-mllvm -tsan-instrument-memory-accesses=0 -mllvm -tsan-instrument-func-entry-exit=0,-Wno-tsan \
	--param tsan-instrument-func-entry-exit=0)
werror.sim = $(WERROR)
$(dir.sim)/recipe $(dir.sim)/obj/src/%.o: private seam := $(simulated)
# The judge of regions runs while nobody else does.
$(dir.sim)/obj/src/recovery/check%.o: private seam := -include sim/seam.h
$(dir.sim)/obj/src/emulation/%.o: private seam := -include sim/seam.h -DLG_SIM_MODEL

# ---- The rules of one variant ----------------------------------------------------------------------------------------

# objects(variant, sources)
objects = $(patsubst %.c,$(dir.$(1))/obj/%.o,$(2))
# programs(variant, test sources)
programs = $(patsubst %.c,$(dir.$(1))/%,$(2))

# test_rule(variant, source, helper sources)
define test_rule
$(call programs,$(1),$(2)): $(call objects,$(1),$(2) $(3)) $(dir.$(1))/libchecker.a $(dir.$(1))/libbench.a \
		$(dir.$(1))/libliger-internal.a
	@mkdir -p $$(@D)
	$$(Q)$$(link.$(1)) $$(testldflags.$(1)) -o $$@ $$^ $$(malloc.$(1)) $(TEST_LIBS) $(LIB_LIBS)
endef

define variant_rules
all_flags.$(1) = $$(BASE_FLAGS) $$(cflags.$(1)) $$(WARNINGS) $$(INCLUDES)
link.$(1) = $$(cc.$(1)) -pthread -g $$(cflags.$(1)) $$(ldflags.$(1))

# What the variant is made with and of: when that changes, all of it is made again; a deleted source counts.
$(dir.$(1))/recipe: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$$(cc.$(1)) $$(all_flags.$(1)) $(LIB_SRC) $(BENCH_SRC)' | cmp -s - $$@ || \
		printf '%s\n' '$$(cc.$(1)) $$(all_flags.$(1)) $(LIB_SRC) $(BENCH_SRC)' >$$@

$(dir.$(1))/obj/tests/%.o: tests/%.c $(dir.$(1))/recipe
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(all_flags.$(1)) -Itests $$(if $$(filter 1,$$(werror.$(1))),-Werror) -MMD -MP -c -o $$@ $$<

$(dir.$(1))/obj/%.o: %.c $(dir.$(1))/recipe
	@mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(all_flags.$(1)) $$(if $$(filter 1,$$(werror.$(1))),-Werror) -MMD -MP -c -o $$@ $$<

# The assembler reads these, which the compiler does not tell (src/emulation/builtin.c).
$(call objects,$(1),src/emulation/builtin.c): $(wildcard src/emulation/profiles/*.json)

# With all its symbols, for the tool and the tests; what is installed shows the public ones only (below).
$(dir.$(1))/libliger-internal.a: $(call objects,$(1),$(LIB_SRC)) $(dir.$(1))/recipe
	@rm -f $$@
	$$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)

$(dir.$(1))/libbench.a: $(call objects,$(1),$(BENCH_SRC)) $(dir.$(1))/recipe
	@rm -f $$@
	$$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)

$(dir.$(1))/libchecker.a: $(call objects,$(1),$(CHECKER_SRC)) $(dir.$(1))/recipe
	@rm -f $$@
	$$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)

$(dir.$(1))/check-history: $(call objects,$(1),$(CHECKER_MAIN)) $(dir.$(1))/libchecker.a
	$$(Q)$$(link.$(1)) $$(testldflags.$(1)) -o $$@ $$^

$(dir.$(1))/liger: $(call objects,$(1),$(TOOL_SRC)) $(dir.sim)/simulator.o $(dir.$(1))/libbench.a \
		$(dir.$(1))/libliger-internal.a
	$$(Q)$$(link.$(1)) -o $$@ $$^ $$(malloc.$(1)) $(TOOL_LIBS) $(LIB_LIBS)

$(foreach s,$(UNIT_SRC),$(eval $(call test_rule,$(1),$(s),$(UNIT_HELPER_SRC))))
$(foreach s,$(POD_SRC),$(eval $(call test_rule,$(1),$(s),$(POD_HELPER_SRC))))

-include $(patsubst %.o,%.d,$(call objects,$(1),$(LIB_SRC) $(BENCH_SRC) $(TOOL_SRC) $(UNIT_SRC) $(POD_SRC) \
	$(UNIT_HELPER_SRC) $(POD_HELPER_SRC) $(CHECKER_SRC) $(CHECKER_MAIN)))
endef

# `make V=1` shows whole commands; else a line names what is made.
Q = $(if $(V),,@echo '  $@'; )

.PHONY: all
all: $(O)/liger $(O)/yardstick $(O)/btree_micro $(O)/outage $(O)/libliger.a $(O)/libliger.so $(O)/liger.pc \
	$(O)/libligersim.a $(O)/libligersim.so $(O)/ligersim.pc $(patsubst %.c,$(O)/%,$(EXAMPLE_SRC))

FORCE:
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))

# One object, of which nobody sees anything but sim_main(): the engine in it is not the one beside it.
$(dir.sim)/simulator.o: $(call objects,sim,$(SIMULATED_SRC) $(SIMULATOR_SRC) $(CHECKER_SRC)) $(dir.sim)/recipe
	$(Q)ld -r -o $@ $(filter %.o,$^)
	@objcopy --keep-global-symbol=sim_main $@

# Its parts by themselves.
SIMULATOR_TEST := $(patsubst %.c,$(dir.sim)/%,$(wildcard tests/sim/*_test.c))
$(SIMULATOR_TEST): $(dir.sim)/%: $(dir.sim)/obj/%.o $(call objects,sim,$(SIMULATED_SRC) $(filter-out sim/main.c,$(SIMULATOR_SRC)) $(CHECKER_SRC))
	@mkdir -p $(@D)
	$(Q)$(link.sim) -o $@ $^ $(TEST_LIBS) $(LIB_LIBS)

-include $(patsubst %.o,%.d,$(call objects,sim,$(SIMULATOR_SRC) $(wildcard tests/sim/*.c)))

# With flags of its own: a yard must not change when Liger's flags do.
$(O)/yardstick: $(YARDSTICK_SRC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(DIALECT) -O3 -march=$(ARCH) $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror) -o $@ $< -pthread

$(O)/btree_micro: $(MICRO_SRC) $(O)/libliger-internal.a
	$(Q)$(CC) $(DIALECT) -O3 -march=$(ARCH) $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror) -Iinclude -Isrc -Ibenchmarks -o $@ $^ \
		-pthread -ljemalloc $(LIB_LIBS)

$(O)/outage: $(call objects,release,$(OUTAGE_SRC)) $(O)/libbench.a $(O)/libliger-internal.a
	$(Q)$(link.release) -o $@ $^ $(malloc.release) $(TOOL_LIBS) $(LIB_LIBS)

# ---- What is installed ------------------------------------------------------------------------------------------------

# One object whose only global symbols are the public ones, so that an embedding program may use any other name.
$(O)/libliger.a: $(O)/libliger-internal.a
	@rm -f $@ $(O)/libliger.o
	$(Q)ld -r --whole-archive -o $(O)/libliger.o $<
	@objcopy --wildcard --keep-global-symbol='lg_*' --remove-section='.gnu.lto_*' --remove-section='.gnu.debuglto_*' \
		$(O)/libliger.o
	@$(AR) rcs $@ $(O)/libliger.o
	@rm -f $(O)/libliger.o

$(O)/$(SONAME): $(call objects,release,$(LIB_SRC)) scripts/libliger.map $(O)/recipe
	$(Q)$(link.release) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=scripts/libliger.map -Wl,-z,defs \
		-o $@ $(filter %.o,$^) $(malloc.release) $(LIB_LIBS)

$(O)/libliger.so: $(O)/$(SONAME)
	@ln -sf $(SONAME) $@

$(O)/liger.pc: scripts/liger.pc.in Makefile include/liger.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|-ljemalloc $(LIB_LIBS)|' $< >$@

$(O)/libligersim.a: $(call objects,release,$(SIM_SRC)) $(O)/recipe
	@rm -f $@ $(O)/libligersim.o
	$(Q)ld -r -o $(O)/libligersim.o $(filter %.o,$^)
	@objcopy --wildcard --keep-global-symbol='lgs_*' --remove-section='.gnu.lto_*' --remove-section='.gnu.debuglto_*' \
		$(O)/libligersim.o
	@$(AR) rcs $@ $(O)/libligersim.o
	@rm -f $(O)/libligersim.o

$(O)/$(SIM_SONAME): $(call objects,release,$(SIM_SRC)) scripts/ligersim.map $(O)/recipe
	$(Q)$(link.release) -shared -Wl,-soname,$(SIM_SONAME) -Wl,--version-script=scripts/ligersim.map -Wl,-z,defs \
		-o $@ $(filter %.o,$^) $(SIM_LIBS)

$(O)/libligersim.so: $(O)/$(SIM_SONAME)
	@ln -sf $(SIM_SONAME) $@

$(O)/ligersim.pc: scripts/ligersim.pc.in Makefile include/ligersim.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(SIM_VERSION)|' -e 's|@LIBS@|$(SIM_LIBS)|' $< >$@

# With the public header and the archive alone, as a program outside the tree is.
$(patsubst %.c,$(O)/%,$(EXAMPLE_SRC)): $(O)/examples/%: examples/%.c include/ligersim.h $(O)/libligersim.a $(O)/recipe
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror) -Iinclude -o $@ $< $(O)/libligersim.a \
		$(SIM_LIBS)

.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(O)/liger $(DESTDIR)$(PREFIX)/bin/liger
	install -m 644 include/liger.h $(DESTDIR)$(PREFIX)/include/liger.h
	install -m 644 $(O)/libliger.a $(DESTDIR)$(PREFIX)/lib/libliger.a
	install -m 755 $(O)/$(SONAME) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libliger.so
	install -m 644 $(O)/liger.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/liger.pc
	install -m 644 include/ligersim.h $(DESTDIR)$(PREFIX)/include/ligersim.h
	install -m 644 $(O)/libligersim.a $(DESTDIR)$(PREFIX)/lib/libligersim.a
	install -m 755 $(O)/$(SIM_SONAME) $(DESTDIR)$(PREFIX)/lib/$(SIM_SONAME)
	ln -sf $(SIM_SONAME) $(DESTDIR)$(PREFIX)/lib/libligersim.so
	install -m 644 $(O)/ligersim.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/ligersim.pc

# ---- The two commands -------------------------------------------------------------------------------------------------

.PHONY: bench test yards
bench:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) all
	$(O)/liger bench tpcc --hosts 2 --workers 1 --seconds 5 $(BENCH_ARGS)

test:
	@scripts/deps.sh test
	+@MAKE='$(MAKE)' scripts/run_tests.sh all

yards:
	@scripts/deps.sh yards
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/liger $(O)/yardstick
	benchmarks/yards/table.py --build $(O) $(YARDS_ARGS)

# What the delay profiles cost here, and throughput against latency: docs/emulation.md.
.PHONY: emulation-calibration emulation-sweep
emulation-calibration:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/liger
	benchmarks/emulation/calibrate.py --liger $(O)/liger --out $(O)/calibration $(CALIBRATION_ARGS)

emulation-sweep:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/liger
	benchmarks/emulation/sweep.py --liger $(O)/liger --out $(O)/sweep $(SWEEP_ARGS)

# What durability costs, and the death of a host: docs/durability.md.
.PHONY: durability-figures outage
durability-figures:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/liger $(O)/outage
	benchmarks/durability/figures.py --liger $(O)/liger --outage $(O)/outage $(FIGURES_ARGS)

outage:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/outage
	$(O)/outage $(OUTAGE_ARGS)

# Goodput with many more clients than CPUs: docs/architecture.md, section 10.
.PHONY: overload-sweep
overload-sweep:
	@scripts/deps.sh build
	+@$(MAKE) --no-print-directory -j$$(nproc) $(O)/liger
	benchmarks/overload/sweep.py --liger $(O)/liger --out $(O)/overload $(SWEEP_ARGS)

# ---- Tests ------------------------------------------------------------------------------------------------------------

run_tests := scripts/run_tests.sh run
# The programs that a test may run: ../../liger and ../../check-history from its own folder.
runnable = $(dir.$(1))/liger $(if $(CHECKER_MAIN),$(dir.$(1))/check-history)
# ThreadSanitizer sees races between threads, never between processes: it gets the unit tests, and the pod tests whose
# hosts share one process.
INPROCESS_SRC := $(filter %_inprocess_test.c,$(POD_SRC))

.PHONY: tests check check-unit check-pod check-asan check-ubsan check-tsan check-cli check-log check-probe check-install \
	check-lint check-hotpath
tests: $(call programs,release,$(UNIT_SRC) $(POD_SRC)) $(call runnable,release)

check: $(call programs,release,$(UNIT_SRC) $(POD_SRC)) $(call runnable,release)
	@$(run_tests) release $(filter %_test,$^)
check-unit: $(call programs,release,$(UNIT_SRC))
	@$(run_tests) unit $^
check-pod: $(call programs,release,$(POD_SRC)) $(call runnable,release)
	@$(run_tests) pod $(filter %_test,$^)
check-asan: $(call programs,asan,$(UNIT_SRC) $(POD_SRC)) $(call runnable,asan)
	@$(run_tests) asan $(filter %_test,$^)
check-ubsan: $(call programs,ubsan,$(UNIT_SRC) $(POD_SRC)) $(call runnable,ubsan)
	@$(run_tests) ubsan $(filter %_test,$^)
check-tsan: $(call programs,tsan,$(UNIT_SRC) $(INPROCESS_SRC)) $(call runnable,tsan)
	@$(run_tests) tsan $(filter %_test,$^)
check-cli: $(O)/liger
	@LIGER=$(O)/liger $(run_tests) cli scripts/test_cli.sh
check-log: $(O)/liger
	@LIGER=$(O)/liger $(run_tests) log scripts/test_log.sh
check-probe: $(O)/liger
	@LIGER=$(O)/liger $(run_tests) probe scripts/test_probe.sh
# What people use of the emulation: libligersim's example, `liger probe memory`.
.PHONY: check-ligersim
check-ligersim: $(O)/liger $(O)/examples/queue
	@LIGER=$(O)/liger QUEUE=$(O)/examples/queue $(run_tests) ligersim scripts/test_ligersim.sh
check-install: all
	+@O=$(O) MAKE='$(MAKE)' $(run_tests) install scripts/test_install.sh
check-lint:
	@$(run_tests) lint scripts/test_lint.sh
# The model of the row word, explored by spin.
.PHONY: check-model
check-model:
	@CC='$(CC)' TEST_SECONDS=900 $(run_tests) model scripts/test_model.sh
check-hotpath: $(O)/tests/pod/hotpath_test
	@HOTPATH=$(O)/tests/pod/hotpath_test $(run_tests) hotpath scripts/test_hotpath.sh

ifneq ($(filter clang,$(VARIANTS)),)
.PHONY: check-clang
check-clang: $(call programs,clang,$(UNIT_SRC) $(POD_SRC)) $(call runnable,clang)
	@$(run_tests) clang $(filter $(dir.clang)/tests/unit/%,$^)
endif

# A guest runs `liger` and the unit tests of regions.
.PHONY: vm vm-programs test-vm
vm-programs: $(dir.vm)/liger $(call programs,vm,$(filter tests/unit/region%,$(UNIT_SRC)))
vm:
	@scripts/deps.sh vm
	+@$(MAKE) --no-print-directory -j$$(nproc) vm-programs
	@scripts/vm/kernel.sh $(dir.vm)/kernel
test-vm: vm
	@VM_BUILD=$(dir.vm) TEST_SECONDS=600 $(run_tests) vm scripts/test_vm.sh

# libFuzzer: FUZZ_TARGET for FUZZ_SECONDS, or all of them in turn. What it finds goes into build/fuzz/found/.
define fuzz_rule
$(call programs,$(1),$(2)): $(call objects,$(1),$(2) $(FUZZ_HELPER_SRC)) $(dir.$(1))/libbench.a $(dir.$(1))/libliger-internal.a
	@mkdir -p $$(@D)
	$$(Q)$$(link.$(1)) -o $$@ $$^ $(LIB_LIBS) -lxxhash
endef
$(foreach v,fuzz afl,$(foreach s,$(FUZZ_SRC),$(eval $(call fuzz_rule,$(v),$(s)))))
-include $(foreach v,fuzz afl,$(patsubst %.o,%.d,$(call objects,$(v),$(FUZZ_SRC) $(FUZZ_HELPER_SRC))))

.PHONY: fuzz check-fuzz fuzz-afl
FUZZ_SECONDS ?= 3600
FUZZ_TARGET ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC))
fuzz: $(call programs,fuzz,$(FUZZ_SRC))
	@FUZZ_BUILD=$(dir.fuzz) scripts/fuzz.sh long $(FUZZ_SECONDS) $(FUZZ_TARGET)
# The seeds, and some thousand inputs made of them, the same ones each time.
check-fuzz: $(call programs,fuzz,$(FUZZ_SRC))
	@FUZZ_BUILD=$(dir.fuzz) FUZZ_TARGETS='$(FUZZ_TARGET)' $(run_tests) fuzz scripts/fuzz.sh
# AFL++ (Debian: afl++) until it is interrupted: make fuzz-afl TARGET=ring
TARGET ?= profile
fuzz-afl: $(dir.afl)/tests/fuzz/fuzz_$(TARGET)
	@mkdir -p $(dir.afl)/found
	AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 afl-fuzz -i tests/fuzz/seeds/$(TARGET) \
		-o $(dir.afl)/found/$(TARGET) $(AFL_ARGS) -- $<

# Every mutant of src/cxl/mutant.h must be caught by one of these, the quick ones first.
CATCHER_SRC := tests/unit/incoherent_test.c tests/pod/whole_rows_inprocess_test.c tests/pod/mover_incoherent_test.c \
	tests/fault/loss_rule_inprocess_test.c tests/fault/host_crash_test.c \
	tests/pod/serializability_processes_test.c tests/pod/serializability_inprocess_test.c
check-mutants: $(call programs,mutants,$(CATCHER_SRC)) $(call runnable,mutants) $(O)/liger
	@LIGER=$(O)/liger CATCHERS='$(call programs,mutants,$(CATCHER_SRC))' TEST_SECONDS=1800 $(run_tests) mutants scripts/test_mutants.sh

# A host is killed at each named point (src/cxl/crash_point.h), on coherent memory and behind incoherent caches.
.PHONY: check-crash-points torture
CRASH_TEST := tests/fault/host_crash_test.c
# Those of checkpoints need no pod.
CHECKPOINT_TEST := tests/unit/checkpoint_test.c
ADOPT_TEST := tests/fault/adopt_test.c
check-crash-points: $(call programs,mutants,$(CRASH_TEST) $(CHECKPOINT_TEST) $(ADOPT_TEST))
	@$(run_tests) crash-points $^
	@LIGER_EMULATE=incoherent $(run_tests) crash-points:incoherent $<

# The simulator (docs/simulator.md). A seed that fails is named with its command line.
.PHONY: check-sim mutants soak
check-sim: $(O)/liger $(SIMULATOR_TEST)
	@LIGER=$(O)/liger TEST_SECONDS=600 $(run_tests) sim $(SIMULATOR_TEST) scripts/test_sim.sh
mutants: $(O)/liger
	@LIGER=$(O)/liger scripts/sim_mutants.sh
SOAK_SEEDS ?= 1000000
SOAK_FIRST ?= 1
soak: $(O)/liger
	$(O)/liger sim --seeds $(SOAK_FIRST)..$$(($(SOAK_FIRST) + $(SOAK_SEEDS) - 1)) --points --keep-going $(SOAK_ARGS)

# The same for long: random kills of hosts and of whole pods, and named points, TORTURE_SEEDS times, each on both kinds of
# memory; and every byte of a small pod's logs.
TORTURE_SEEDS ?= 20
TORTURE_SRC := $(CRASH_TEST) $(addprefix tests/fault/,host_return_test.c pod_loss_test.c tpcc_crash_test.c full_disk_test.c)
LOG_BYTES_TEST := tests/fault/log_bytes_inprocess_test.c
torture: $(call programs,mutants,$(TORTURE_SRC) $(LOG_BYTES_TEST))
	@for seed in $$(seq 1 $(TORTURE_SEEDS)); do for memory in direct incoherent:$$seed; do \
		SEED=$$seed LIGER_EMULATE=$$memory TEST_SECONDS=900 $(run_tests) "torture:$$seed:$$memory" \
			$(call programs,mutants,$(TORTURE_SRC)) || exit 1; done; done
	@LG_TEST_EVERY_BYTE=1 TEST_SECONDS=3600 $(run_tests) torture:bytes $(call programs,mutants,$(LOG_BYTES_TEST))

# The tests of the public API again, with every host behind a cache that nobody keeps coherent.
INCOHERENT_SEEDS ?= 1 5
check-incoherent: $(call programs,release,$(POD_SRC)) $(call runnable,release)
	@for seed in $(INCOHERENT_SEEDS); do \
		LIGER_EMULATE=incoherent:$$seed LG_TEST_SCALE=$${LG_TEST_SCALE:-25} \
			$(run_tests) "incoherent:$$seed" $(filter %_test,$^) || exit 1; done

# ---- Source checks ----------------------------------------------------------------------------------------------------

.PHONY: format format-check tidy clean
format:
	clang-format -i $(FORMATTED)

format-check:
	@clang-format --dry-run -Werror $(FORMATTED)

# clang-tidy's checks are in .clang-tidy; our own rules are in the head of scripts/lint.py.
tidy:
	@scripts/lint.py
	@printf '%s\n' $(TIDIED) | xargs -P $$(nproc) -n 4 sh -c \
		'clang-tidy --quiet --warnings-as-errors="*" "$$@" -- $(DIALECT) $(INCLUDES)' sh

clean:
	rm -rf build
