/* Names of errors, as this platform has them. */
#ifndef WEIR_FAULT_ERROR_NAME_H
#define WEIR_FAULT_ERROR_NAME_H

#include "fault/piece.h"

/* The number that the piece names (EIO, EWOULDBLOCK) or is (5), if it has a name;
 * otherwise 0. */
int weir_error_number(struct weir_piece piece);

#endif
