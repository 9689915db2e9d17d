/* Linked into what `make coverage` builds: the counters go into their file before any other
 * constructor runs, as what was counted until then would be lost. */
void __llvm_profile_initialize(void);

__attribute__((constructor(90))) static void begin(void)
{
	__llvm_profile_initialize();
}
