// weir.h from C++: prints what it finds.
#include "weir.h"

#include <sys/socket.h>

#include <iostream>

int main()
{
	int sv[2];
	weir_pair_info info{};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0)
		return 1;
	if (!weir_active()) {
		bool harmless = weir_pair(sv[0], &info) == -1 && errno == ENOSYS;
		std::cout << (harmless ? "absent" : "wrong") << std::endl;
		return 0;
	}
	if (weir_set_capacity(sv[0], 64) != 0 || weir_pair(sv[0], &info) != 0)
		return 2;
	std::cout << "pair " << info.number << " capacity " << info.capacity_out << std::endl;
	if (weir_fault(sv[0], "nothing") == 0 || errno != EINVAL)
		return 3;
	std::cout << weir_fault_error() << std::endl;
}
