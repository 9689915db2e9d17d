/* The version, in one place: `weir --version`, the manual pages and the packages follow it. */
#ifndef WEIR_BASE_VERSION_H
#define WEIR_BASE_VERSION_H

#define WEIR_VERSION "0.1.0"

#endif
