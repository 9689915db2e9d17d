#include "base/parse.h"

#include "base/test.h"

static void unsigned_numbers(void)
{
	uint64_t n = 7;

	CHECK(weir_parse_unsigned("0", 10, &n) && n == 0);
	CHECK(weir_parse_unsigned("10", 10, &n) && n == 10);
	CHECK(weir_parse_unsigned("00010", 10, &n) && n == 10);
	CHECK(weir_parse_unsigned("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
}

static void unsigned_refuses(void)
{
	static const char *const bad[] = {
		"", " ", "-1", "+1", " 1", "1 ", "1x", "0x10", "11", "99999999999999999999999",
		"18446744073709551616", "1.0", "1K",
	};
	uint64_t n = 7;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(!weir_parse_unsigned(bad[i], 10, &n));
	CHECK(!weir_parse_unsigned("18446744073709551616", UINT64_MAX, &n));
	CHECK(!weir_parse_unsigned("1", 0, &n));
	CHECK_EQ(n, 7);
}

static void sizes(void)
{
	uint64_t n = 0;

	CHECK(weir_parse_size("64", 100, &n) && n == 64);
	CHECK(weir_parse_size("208K", UINT64_MAX, &n) && n == 212992);
	CHECK(weir_parse_size("1k", 1024, &n) && n == 1024);
	CHECK(weir_parse_size("3M", UINT64_MAX, &n) && n == UINT64_C(3) << 20);
	CHECK(weir_parse_size("4G", UINT64_C(4) << 30, &n) && n == UINT64_C(4) << 30);
	CHECK(weir_parse_size("0G", 0, &n) && n == 0);
}

static void sizes_refuse(void)
{
	static const char *const bad[] = { "", "K", "1KB", "1T", "1 K", "K1", "-1K", "1.5K", "1KK" };
	uint64_t n = 7;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(!weir_parse_size(bad[i], UINT64_MAX, &n));
	CHECK(!weir_parse_size("2K", 2047, &n));
	CHECK(!weir_parse_size("17179869184G", UINT64_MAX, &n));    /* 2^64 */
	CHECK(!weir_parse_size("18014398509481985K", UINT64_MAX, &n));
	CHECK_EQ(n, 7);
}

static void percents(void)
{
	uint64_t n = 7;

	CHECK(!weir_parse_percent("25", 100, &n));
	CHECK(!weir_parse_percent("%", 100, &n));
	CHECK(!weir_parse_percent("101%", 100, &n));
	CHECK(!weir_parse_percent("25%%", 100, &n));
	CHECK_EQ(n, 7);
	CHECK(weir_parse_percent("25%", 100, &n) && n == 25);
	CHECK(weir_parse_percent("100%", 100, &n) && n == 100);
}

static void switches(void)
{
	bool on = false;

	CHECK(weir_parse_switch("1", &on) && on);
	CHECK(!weir_parse_switch("yes", &on) && on);
	CHECK(!weir_parse_switch("", &on));
	CHECK(!weir_parse_switch("01", &on));
	CHECK(weir_parse_switch("0", &on) && !on);
}

int main(void)
{
	RUN(unsigned_numbers);
	RUN(unsigned_refuses);
	RUN(sizes);
	RUN(sizes_refuse);
	RUN(percents);
	RUN(switches);
	return weir_test_end();
}
