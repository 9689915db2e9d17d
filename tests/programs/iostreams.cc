// C++ streams on a pair: copies lines with their number, by cin and cout.
//
//	iostreams synchronised|alone
//
// libstdc++ keeps the standard streams of stdio that it finds when it is initialised.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

int main(int argc, char **argv)
{
	bool alone = argc > 1 && std::strcmp(argv[1], "alone") == 0;
	std::string line;
	long count = 0;

	std::ios::sync_with_stdio(!alone);
	while (std::getline(std::cin, line)) {
		std::cout << ++count << ' ' << line << '\n';
		if (!alone)
			std::printf("and by printf %ld\n", count);
	}
	std::cout << "end" << std::endl;
	return std::cin.eof() ? 0 : 1;
}
