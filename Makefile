# weir: make, make test, make check, make lint, make bench, make install.
# `make help` lists what there is.

ifeq ($(origin CC),default)
CC := gcc
endif
Q := $(if $(V),,@)
say = @$(if $(V),true,echo '  $(1) $@')
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
B := build

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -Wcast-align -Wwrite-strings -Wformat=2 -Wswitch-enum -Wvla
COMMON := -std=gnu11 -D_GNU_SOURCE -Isrc -Iinclude $(WARNINGS) -pthread
PIC := -fPIC -fno-plt -fvisibility=hidden -ftls-model=initial-exec -U_FORTIFY_SOURCE
# The layers are small functions in many files: inlining across them is worth a
# fifth of the time of a write.
LTO ?= $(if $(findstring clang,$(CC)),,-flto=auto)
HARD := -Wl,-z,relro,-z,now,-z,defs,-z,noexecstack

lower := $(filter-out %_test.c,$(wildcard src/base/*.c src/ring/*.c src/pipe/*.c src/fault/*.c src/pair/*.c src/carry/*.c))
endpoint := $(filter-out %_test.c,$(wildcard src/endpoint/*.c))
hooks := $(wildcard src/hooks/*.c)
cli := $(filter-out %_test.c,$(wildcard src/cli/*.c))
unit := $(wildcard src/*/*_test.c)

object = $(patsubst src/%.c,$(B)/obj/%.o,$(1))
library_objects := $(call object,$(lower) $(endpoint) $(hooks))
command_objects := $(call object,$(lower) $(endpoint) $(cli))
unit_programs := $(patsubst src/%_test.c,$(B)/unit/%_test,$(unit))

all: $(B)/libweir.so $(B)/weir

help:
	@echo 'all (build/libweir.so, build/weir), install, uninstall, clean'
	@echo 'test (what CI runs), check (its quick part), check-programs and chaos (real programs)'
	@echo 'stress (random death and slots, for MINUTES=5), damage (flipped bits, for MINUTES=5)'
	@echo 'fuzz (random programs, compared with the kernel, for CALLS=10000000)'
	@echo 'explore (all schedules of small scenarios, with up to BOUND=3 preemptions: ten minutes)'
	@echo 'model (the protocol, checked exhaustively with spin)'
	@echo 'bench (speed against everything else, a quarter of an hour; bench-programs builds what it runs)'
	@echo 'coverage (a table of lines and branches of src that tests run)'
	@echo 'unit, sanitize, canary, fuzz-rules, lint, format (changed lines), examples, test-programs'

# Objects follow the flags: another CFLAGS or CC rebuilds.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(CFLAGS) $(LTO) $(COMMON) $(PIC) $(LDFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CFLAGS) $(LTO) $(COMMON) $(PIC) $(LDFLAGS)' > $@

$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(COMMON) $(CFLAGS) $(if $(LTO),$(LTO) -ffat-lto-objects) $(PIC) -MMD -MP -c $< -o $@

# initfirst: the standard streams must be ours before any other library (libstdc++)
# keeps a copy of them.
$(B)/libweir.so: $(library_objects)
	$(call say,LD)
	$(Q)$(CC) -shared $(CFLAGS) $(LTO) $(LDFLAGS) $(HARD) -Wl,-z,initfirst -Wl,-Bsymbolic-functions -Wl,-soname,libweir.so -pthread -o $@ $^

$(B)/weir: $(command_objects)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(HARD) -pie -pthread -o $@ $^

# A unit test links with its own layer and those below it: linking is the test
# that the arrows of the layout point down.
layer_base := base
layer_fault := base fault
layer_ring := base ring
layer_pipe := base ring pipe
layer_pair := base ring pipe fault pair
layer_endpoint := base ring pipe fault pair endpoint
layer_cli := base ring pipe fault pair endpoint carry

define unit_rule
$(B)/unit/$(1)_test: $(B)/obj/$(1)_test.o $(call object,$(filter-out %_test.c,$(wildcard $(patsubst %,src/%/*.c,$(layer_$(patsubst %/,%,$(dir $(1)))))))) \
		$(if $(filter cli/,$(dir $(1))),$(call object,$(filter-out src/cli/main.c,$(cli))))
	@mkdir -p $$(@D)
	@$(if $(V),true,echo '  LD $$@')
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -pthread -o $$@ $$^
endef
$(foreach t,$(patsubst src/%_test.c,%,$(unit)),$(eval $(call unit_rule,$(t))))

unit: $(unit_programs)
	@for t in $(unit_programs); do echo "# $$t"; $$t || exit 1; done

# The programs that tests run: natively, then under weir.
test_sources := $(wildcard tests/programs/*.c)
test_programs := $(patsubst tests/programs/%.c,$(B)/tests/%,$(test_sources)) \
	$(patsubst tests/programs/%.c,$(B)/tests/%-fortified,$(test_sources))
TEST_FLAGS := -std=gnu11 -g -Wall -Wextra -Iinclude -pthread
# What flips bits in a running session.
test_programs += $(B)/tests/damage
test_programs += $(patsubst tests/programs/%.cc,$(B)/tests/%,$(wildcard tests/programs/*.cc))
# Programs that no preloading reaches.
static_sources := $(wildcard tests/programs/static/*.c)
test_programs += $(patsubst tests/programs/static/%.c,$(B)/tests/%-static,$(static_sources)) \
	$(patsubst tests/programs/static/%.c,$(B)/tests/%-musl,$(static_sources)) \
	$(patsubst tests/programs/static/%.c,$(B)/tests/%-dynamic,$(static_sources))

$(B)/tests/%: tests/programs/%.c tests/programs/check.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -O1 -o $@ $<

$(B)/tests/%-fortified: tests/programs/%.c tests/programs/check.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -O2 -D_FORTIFY_SOURCE=2 -o $@ $<

$(B)/tests/damage: tests/damage/damage.c $(call object,$(lower))
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(COMMON) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tests/%: tests/programs/%.cc
	@mkdir -p $(@D)
	$(call say,CXX)
	$(Q)$(CXX) -std=gnu++17 -g -O1 -Wall -Wextra -Iinclude -o $@ $<

$(B)/tests/%-static: tests/programs/static/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -O1 -static -o $@ $<

$(B)/tests/%-dynamic: tests/programs/static/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -O1 -o $@ $<

# Dynamic, but with another C library than ours.
$(B)/tests/%-musl: tests/programs/static/%.c
	@mkdir -p $(@D)
	$(call say,MUSL)
	$(Q)musl-gcc -std=gnu11 -g -Wall -Wextra -Iinclude -O1 -o $@ $<

$(test_programs): include/weir.h

test-programs: $(test_programs)

example_programs := $(patsubst %.c,$(B)/%,$(wildcard examples/*/*.c))

$(B)/examples/%: examples/%.c include/weir.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -g -O1 -Wall -Wextra -Iinclude -pthread -o $@ $<

# A header that comes with an example.
$(B)/examples/unit-test/trusting $(B)/examples/unit-test/careful: examples/unit-test/test.h

examples: $(example_programs)

bench_programs := $(B)/bench/sockets $(B)/bench/ring $(B)/bench/mutex $(B)/bench/memcpy

# Each with what carries its bytes inlined into the workloads.
$(B)/bench/%: bench/%/main.c $(wildcard bench/*/*.c bench/*/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(LTO) $(WARNINGS) -Ibench -pthread -o $@ $(wildcard bench/$*/*.c bench/common/*.c)

# tokio's part is built offline, from Debian's sources of it, where they are.
CARGO ?= $(firstword $(wildcard /usr/bin/cargo) cargo)
RUSTC ?= $(firstword $(wildcard /usr/bin/rustc) rustc)
ifneq ($(and $(wildcard /usr/share/cargo/registry/tokio-1.*),$(shell command -v $(CARGO))),)
bench_programs += $(B)/bench/tokio
endif

$(B)/bench/tokio: $(wildcard bench/tokio/* bench/tokio/*/*)
	@mkdir -p $(B)/bench/cargo
	$(call say,CARGO)
	$(Q)cp -r bench/tokio/. $(B)/bench/cargo
	$(Q)cd $(B)/bench/cargo && RUSTC=$(RUSTC) $(CARGO) build --quiet --release --offline --target-dir target
	$(Q)cp $(B)/bench/cargo/target/release/bench-tokio $@

bench-programs: $(bench_programs)

bench: all bench-programs
	bench/run --json $(B)/bench/results.json --svg $(B)/bench/results.svg
	bench/run --faults

checked := all unit_build library-canaries explorers fuzzers differ test-programs sanitized examples bench-programs

test: $(checked) canary
	tests/run-all

check: $(checked)
	tests/run-all --quick

unit_build: $(unit_programs)

check-programs: all
	tests/check-programs

# Real programs under --chaos, with twenty seeds.
chaos: all
	tests/chaos

# Random tests in their long form; `make check` has the short one.
MINUTES := 5
stress: all test-programs
	tests/stress $(MINUTES)

# The protocol of bells and locks as a model, in all scenarios and with each of its fences,
# re-checks and bells removed in turn; tests/model.bats has the small ones.
model:
	MODEL_BUILD=$(CURDIR)/$(B)/model tests/model/run

damage: all test-programs sanitized
	$(B)/tests/damage --seconds $$(($(MINUTES) * 30)) $(B)/weir $(B)/tests/exchange
	WEIR_LIBRARY=$(B)/asan/libweir.so LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
		$(B)/tests/damage --seconds $$(($(MINUTES) * 30)) $(B)/weir $(B)/tests/exchange

# The layers below the hooks under the sanitizers, in builds of their own. Their
# instructions mislead gcc about what poll does with its array.
SANE := -O1 -g -fno-omit-frame-pointer -Wno-maybe-uninitialized
ASAN := $(SANE) -fsanitize=address,undefined -fno-sanitize-recover=undefined
TSAN := $(SANE) -fsanitize=thread

sanitize:
	$(MAKE) B=$(B)/asan LTO= CFLAGS='$(ASAN)' unit
	TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan-suppressions \
		$(MAKE) B=$(B)/tsan LTO= CFLAGS='$(TSAN)' unit

# What tests/sanitizers.bats runs: the library, and a program, made with them.
sanitized:
	@$(MAKE) --no-print-directory B=$(B)/asan LTO= CFLAGS='$(ASAN)' \
		TEST_FLAGS='$(TEST_FLAGS) $(ASAN)' $(B)/asan/libweir.so $(B)/asan/tests/threads
	@$(MAKE) --no-print-directory B=$(B)/tsan LTO= CFLAGS='$(TSAN)' \
		TEST_FLAGS='$(TEST_FLAGS) $(TSAN)' $(B)/tsan/tests/threads

# Which lines the unit tests and the bats files run. clang's counters lie in a file that
# each process maps, so that who is killed, or execs, has counted, too. A process that may
# not write that file counts for itself.
COVERAGE := $(B)/coverage
coverage_flags := -O0 -g -Wno-unused-command-line-argument -fcoverage-mapping -fprofile-update=atomic -mllvm -runtime-counter-relocation \
	-fprofile-instr-generate=$(CURDIR)/$(COVERAGE)/raw/%m%c.profraw

coverage: all test-programs examples library-canaries differ
	rm -rf $(COVERAGE)/raw
	mkdir -p $(COVERAGE)/raw
	ln -sfn ../tests $(COVERAGE)/tests
	ln -sfn ../canaries $(COVERAGE)/canaries
	ln -sfn ../examples $(COVERAGE)/examples
	ln -sfn ../differ $(COVERAGE)/differ
	clang -c -fPIC -o $(COVERAGE)/early.o tests/coverage-early.c
	$(MAKE) B=$(COVERAGE) CC=clang LTO= CFLAGS='$(coverage_flags)' LDFLAGS='$(LDFLAGS) $(COVERAGE)/early.o' all unit_build
	CC=clang LTO= CFLAGS='$(coverage_flags)' tests/coverage $(COVERAGE) # tests that make things make them so

# Each canary replaces the function that it is named after by a broken one; the
# random test must notice. It links without the optimiser that would know better.
canaries := $(patsubst tests/%.c,$(B)/%,$(wildcard tests/canaries/*.c))

$(B)/canaries/%: tests/canaries/%.c $(B)/obj/endpoint/model_test.o $(call object,$(lower) $(endpoint))
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(COMMON) $(CFLAGS) $(LDFLAGS) -fno-lto -Wl,--wrap=$* -o $@ $^

canary: $(canaries)
	@for c in $(canaries); do status=0; timeout 60 $$c >$$c.log 2>&1 || status=$$?; \
		[ $$status -eq 1 ] || { echo "$$c: status $$status, see $$c.log"; exit 1; }; done

# The same in a whole library, for the tests of damage and of storms.
library_canaries := $(patsubst tests/canaries/library/%.c,$(B)/canaries/library/%/libweir.so,\
	$(wildcard tests/canaries/library/*.c))

$(B)/canaries/library/%/libweir.so: tests/canaries/library/%.c $(library_objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -shared $(COMMON) $(CFLAGS) $(PIC) $(LDFLAGS) $(HARD) -fno-lto -Wl,-z,initfirst \
		-Wl,-Bsymbolic-functions -Wl,--wrap=$* -o $@ $^

library-canaries: $(library_canaries)

# Every interleaving of the real code: the layers below the hooks, with their atomics,
# locks and system calls played by a scheduler (tests/explore/world.h).
explore_code := $(filter-out src/base/os.c src/carry/% src/endpoint/deadlock.c src/endpoint/stuck.c,$(lower) $(endpoint))
explore_code_objects := $(patsubst %.c,$(B)/explore/%.o,$(explore_code))
explore_objects := $(patsubst %.c,$(B)/explore/%.o,$(filter-out %_test.c,$(wildcard tests/explore/*.c)))
# Variables begin as zeros, so that equal states look equal. What a process remembers in its
# own memory of the one pair lies in the world, for each process apart.
EXPLORE_FLAGS := $(COMMON) -O2 -g -DWEIR_LONES=4 '-Dweir_lones=(*weir_lones_own)' $(if $(findstring clang,$(CC)),,-ftrivial-auto-var-init=zero)
explore_wraps := weir_die weir_damaged sched_yield clock_gettime $(addprefix weir_lock_,try wait release)
explore_link = $(CC) -pthread -o $@ $(addprefix -Wl$(comma)--wrap=,$(explore_wraps))
explore_canaries := $(patsubst tests/explore/canaries/%.sed,$(B)/explore/canaries/%,$(wildcard tests/explore/canaries/*.sed))
comma := ,
explorers := $(B)/explore/explore $(B)/explore/kernel_test $(explore_canaries)

# The locks themselves are played, too.
$(filter-out %/base/lock.o,$(explore_code_objects)) $(B)/explore/tests/explore/lone.o: EXPLORE_FLAGS += -fsanitize=thread
$(B)/explore/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(EXPLORE_FLAGS) -MMD -MP -c $< -o $@

$(B)/explore/explore: $(explore_objects) $(explore_code_objects)
	$(call say,LD)
	$(Q)$(explore_link) $^

$(B)/explore/kernel_test: $(B)/explore/tests/explore/kernel_test.o $(B)/explore/tests/explore/kernel.o
	$(call say,LD)
	$(Q)$(CC) -pthread -o $@ $^

# The file that the first line names, changed, in the place of the real one. Of a header that is
# the one that the lone thread's way is compiled from.
$(explore_canaries): $(B)/explore/canaries/%: tests/explore/canaries/%.sed $(explore_objects) $(explore_code_objects)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)source=$$(sed -n '1s/^# \([^ ]*\) .*/\1/p' $<) && sed -f $< $$source > $@.c && \
		if cmp -s $$source $@.c; then echo "$<: nothing changed in $$source"; exit 1; fi && \
		case $$source in *.h) mkdir -p $@.include/$$(dirname $${source#src/}) && \
			cp $@.c $@.include/$${source#src/} && cp tests/explore/lone.c $@.c && source=tests/explore/lone.c;; esac && \
		$(CC) -I$@.include $(EXPLORE_FLAGS) -Itests/explore -w -fsanitize=thread -c $@.c -o $@.o && \
		$(explore_link) $@.o $$(echo $(filter %.o,$^) | tr ' ' '\n' | grep -v "/$${source%.c}.o")

explorers: $(explorers)

explore: $(B)/explore/explore
	$< --bound $(BOUND)
BOUND := 3
# Random programs of calls, run natively and under weir (tests/differ). What differs stays in
# build/differ/found, shrunk. The short form is in tests/differ.bats. Its canaries are whole libraries.
CALLS ?= 10000000
differ_flags := -std=gnu11 -D_GNU_SOURCE -O2 -g -Iinclude -Itests/differ $(WARNINGS) -pthread

$(B)/differ/differ: $(wildcard tests/differ/*.c tests/differ/*.h) tests/differ/calls.def include/weir.h
	@mkdir -p $(@D)/found
	$(call say,CC)
	$(Q)$(CC) $(differ_flags) -o $@ $(filter %.c,$^)

$(B)/canaries/%.so: tests/canaries/%.c $(library_objects)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(COMMON) $(CFLAGS) $(PIC) -shared $(HARD) -Wl,-z,initfirst -Wl,-Bsymbolic-functions \
		-Wl,-soname,libweir.so -fno-lto -Wl,--wrap=$* -o $@ $^

differ: $(B)/differ/differ $(patsubst %,%.so,$(canaries))

fuzz: all $(B)/differ/differ
	$(B)/differ/differ fuzz --weir $(B)/weir --keep $(B)/differ/found --programs 1000000000 --calls $(CALLS)
	for capacity in 1 2 3 7 10 64 100 1000 4096 4097 10000 65536 212992 300000 \
			$$(shuf -i 1-300 -n 13) $$(shuf -i 301-300000 -n 13); do \
		echo "# capacity $$capacity"; \
		$(B)/differ/differ fuzz --weir $(B)/weir --keep $(B)/differ/found --programs 1000000000 \
			--calls $$(($(CALLS) / 400)) --capacity $$capacity || exit 1; done

# The parsers of what people write, under libFuzzer (clang has it, gcc has not). What
# it finds stays in build/fuzz. The canary is a parser that breaks its promise.
FUZZ_SECONDS ?= 60
fuzz_flags := $(COMMON) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
fuzz_sources := $(filter-out %_test.c,$(wildcard src/base/*.c src/fault/*.c))
fuzz_headers := $(wildcard src/base/*.h src/fault/*.h)
fuzzers := $(B)/fuzz/rule $(B)/fuzz/rule-canary

$(B)/fuzz/rule: tests/fuzz/rule.c $(fuzz_sources) $(fuzz_headers)
$(B)/fuzz/rule-canary: tests/fuzz/rule.c tests/fuzz/rule-canary.c $(fuzz_sources) $(fuzz_headers)
$(B)/fuzz/rule-canary: fuzz_flags += -Wl,--wrap=weir_rule_parse
$(fuzzers):
	@mkdir -p $(@D)
	$(call say,CLANG)
	$(Q)clang $(fuzz_flags) -o $@ $(filter %.c,$^)

fuzzers: $(fuzzers)

fuzz-rules: $(B)/fuzz/rule
	@mkdir -p $(B)/fuzz/corpus/rule
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=300 -timeout=5 -artifact_prefix=$(B)/fuzz/ \
		$(B)/fuzz/corpus/rule tests/fuzz/corpus/rule

linted := .ci/run tests/run-all tests/stress tests/install-dependencies tests/model/run \
	tests/programs/loopback.bash $(wildcard examples/*/run bench/programs/*.bash) \
	$(addprefix tests/,$(addsuffix .bats,access bench chaos ctl cycles damage deadlock explore faults hostile \
	inside manual model stalls storm))

lint:
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -Isrc -D__cppcheck__ -D__x86_64__ \
		--enable=warning,performance,portability \
		--suppress=allocaCalled --suppress=missingReturn --suppress=uninitvar:src/hooks/syscall.c \
		src tests/explore
	shellcheck -x $(linted)

# The lines that differ from what was committed: columns of comments and tables are the writer's.
format:
	git clang-format --quiet --force --style=file HEAD

install: all
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/weir' \
		'$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(PREFIX)/share/man/man1' \
		'$(DESTDIR)$(PREFIX)/share/man/man3' '$(DESTDIR)$(PREFIX)/share/man/man7'
	install -m 755 $(B)/weir '$(DESTDIR)$(PREFIX)/bin/weir'
	install -m 755 $(B)/libweir.so '$(DESTDIR)$(PREFIX)/lib/weir/libweir.so'
	install -m 644 include/weir.h '$(DESTDIR)$(PREFIX)/include/weir.h'
	install -m 644 $(wildcard man/*.1) '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -m 644 $(wildcard man/*.3) '$(DESTDIR)$(PREFIX)/share/man/man3'
	install -m 644 $(wildcard man/*.7) '$(DESTDIR)$(PREFIX)/share/man/man7'

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/weir' '$(DESTDIR)$(PREFIX)/lib/weir/libweir.so' '$(DESTDIR)$(PREFIX)/include/weir.h'
	rm -f $(patsubst man/%,'$(DESTDIR)$(PREFIX)/share/man/man1/%',$(wildcard man/*.1)) \
		$(patsubst man/%,'$(DESTDIR)$(PREFIX)/share/man/man3/%',$(wildcard man/*.3)) \
		$(patsubst man/%,'$(DESTDIR)$(PREFIX)/share/man/man7/%',$(wildcard man/*.7))
	-rmdir '$(DESTDIR)$(PREFIX)/lib/weir'

clean:
	rm -rf $(B)

FORCE:
.PHONY: all help unit unit_build test test-programs examples bench bench-programs check check-programs \
	stress damage coverage chaos model sanitize sanitized canary library-canaries explorers explore fuzzers fuzz-rules differ fuzz lint \
	format install uninstall clean FORCE
.SECONDARY:

-include $(shell find $(B)/obj $(B)/explore -name '*.d' 2>/dev/null)
