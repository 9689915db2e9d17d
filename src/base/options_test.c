#include "base/options.h"

#include "base/test.h"

static struct weir_config with(const char *flag, const char *text)
{
	struct weir_config config = weir_config_default();
	const struct weir_option *option = weir_option_find(flag, strlen(flag));

	CHECK(option != NULL);
	if (option)
		CHECK_TEXT(option->set(&config, text), NULL);
	return config;
}

static void refused(const char *flag, const char *text)
{
	struct weir_config config = weir_config_default();
	struct weir_config before = config;
	const struct weir_option *option = weir_option_find(flag, strlen(flag));

	CHECK(option && option->set(&config, text) != NULL);
	CHECK_EQ(config.capacity, before.capacity);
	CHECK_EQ(config.capacity_given, before.capacity_given);
	CHECK_EQ(config.writable_at_given, before.writable_at_given);
	CHECK_EQ(config.max_pairs, before.max_pairs);
	CHECK_TEXT(config.stats, before.stats);
}

static void defaults(void)
{
	struct weir_config config = weir_config_default();

	CHECK_EQ(config.capacity, 208 * 1024);
	CHECK(!config.capacity_given && !config.writable_at_given && !config.verbose);
	CHECK_EQ(config.max_pairs, WEIR_MAX_PAIRS_DEFAULT);
	CHECK_TEXT(config.stats, NULL);
}

static void values(void)
{
	CHECK_EQ(with("--capacity", "1").capacity, 1);
	CHECK_EQ(with("--capacity", "4G").capacity, WEIR_CAPACITY_MAX);
	CHECK(with("--capacity", "64").capacity_given);
	CHECK_EQ(with("--max-pairs", "65536").max_pairs, 65536);
	CHECK_TEXT(with("--stats", "-").stats, "-");
	CHECK(with("--verbose", "1").verbose);
	CHECK(!with("--verbose", "0").verbose);
	CHECK(with("--no-follow", "1").no_follow);
	CHECK(with("--allow-unreachable", "1").allow_unreachable);
}

static void writable_at(void)
{
	CHECK_EQ(with("--writable-at", "2K").writable_at, 2048);
	CHECK(!with("--writable-at", "2K").writable_at_percent);
	CHECK_EQ(with("--writable-at", "25%").writable_at, 25);
	CHECK(with("--writable-at", "25%").writable_at_percent);
	CHECK(with("--writable-at", "25%").writable_at_given);
}

static void bad_values(void)
{
	refused("--capacity", "0");
	refused("--capacity", "");
	refused("--capacity", "5G");
	refused("--capacity", "64 ");
	refused("--writable-at", "0");
	refused("--writable-at", "0%");
	refused("--writable-at", "101%");
	refused("--max-pairs", "0");
	refused("--max-pairs", "65537");
	refused("--max-pairs", "1K");
	refused("--stats", "");
	refused("--verbose", "yes");
}

static void from_environment(void)
{
	char capacity[] = "WEIR_CAPACITY=64", similar[] = "WEIR_CAPACITY_X=7", stats[] = "WEIR_STATS=";
	char verbose[] = "WEIR_VERBOSE=1";
	char *const environment[] = { similar, capacity, stats, verbose, NULL };
	struct weir_config config = weir_config_default();

	CHECK(weir_config_from_environment(&config, environment));
	CHECK_EQ(config.capacity, 64);
	CHECK(config.verbose);
	CHECK_TEXT(config.stats, NULL);
	CHECK(weir_config_from_environment(&config, NULL));
	CHECK_EQ(config.capacity, 64);
}

static void every_option_is_complete(void)
{
	for (size_t i = 0; i < weir_options_count; i++) {
		const struct weir_option *option = &weir_options[i];

		CHECK(!strncmp(option->flag, "--", 2));
		CHECK(!option->variable || !strncmp(option->variable, "WEIR_", 5));
		CHECK(strlen(option->help) > 0 && option->set);
		CHECK(weir_option_find(option->flag, strlen(option->flag)) == option);
	}
	CHECK(!weir_option_find("--cap", 5));
}

int main(void)
{
	RUN(defaults);
	RUN(values);
	RUN(writable_at);
	RUN(bad_values);
	RUN(from_environment);
	RUN(every_option_is_complete);
	return weir_test_end();
}
