		if
		:: scenario == 1 -> /* two */
			START(1, 1);
			limit = 1;
			run writer(BLOCKING, 3);
			run reader(BLOCKING, 1, 9)
		:: scenario == 2 -> /* polls */
			START(1, 1);
			limit = 1;
			alone = 1;
			run writer(POLLING, 2);
			run reader(POLLING, 1, 9)
		:: scenario == 3 -> /* level */
			START(1, 1);
			limit = 1;
			alone = 1;
			run writer(LEVEL, 2);
			run reader(LEVEL, 1, 9)
		:: scenario == 4 -> /* edge */
			START(1, 1);
			limit = 2;
			run writer(EDGE, 4);
			run reader(EDGE, 4, 9)
		:: scenario == 5 -> /* blocking_edge */
			START(1, 1);
			limit = 2;
			run writer(BLOCKING, 4);
			run reader(EDGE, 4, 9)
		:: scenario == 6 -> /* two_writers */
			START(2, 1);
			limit = 1;
			run writer(BLOCKING, 2);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9)
		:: scenario == 7 -> /* two_readers */
			START(1, 2);
			limit = 1;
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 9);
			run reader(BLOCKING, 1, 9)
		:: scenario == 8 -> /* poll_reader */
			START(1, 2);
			limit = 1;
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 9);
			run reader(POLLING, 1, 9)
		:: scenario == 9 -> /* poll_writer */
			START(2, 1);
			limit = 1;
			run writer(BLOCKING, 2);
			run writer(POLLING, 1);
			run reader(BLOCKING, 1, 9)
		:: scenario == 10 -> /* late */
			START(1, 1);
			limit = 4;
			run writer(BLOCKING, 6);
			run reader(BLOCKING, 1, 3)
		:: scenario == 11 -> /* late_two */
			START(2, 1);
			limit = 4;
			run writer(BLOCKING, 6);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9)
		:: scenario == 12 -> /* late_stop */
			START(2, 1);
			limit = 4;
			run writer(BLOCKING, 6);
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 2)
		:: scenario == 13 -> /* level_writers */
			START(2, 1);
			limit = 2;
			alone = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(LEVEL, 2, 9)
		:: scenario == 14 -> /* edge_writers */
			START(2, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 2);
			run reader(EDGE, 4, 9)
		:: scenario == 15 -> /* edge_many */
			START(3, 1);
			limit = 4;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(EDGE, 4, 9)
		:: scenario == 16 -> /* room_level */
			START(2, 1);
			limit = 1;
			run writer(LEVEL, 1);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9)
		:: scenario == 17 -> /* room_edge */
			START(2, 1);
			limit = 1;
			run writer(EDGE, 2);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9)
		:: scenario == 18 -> /* closing */
			START(1, 1);
			limit = 1;
			closing = 1;
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 1)
		:: scenario == 19 -> /* closing_two */
			START(2, 1);
			limit = 1;
			closing = 1;
			run writer(BLOCKING, 2);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 1)
		:: scenario == 20 -> /* kill_blocking */
			START(1, 1);
			limit = 1;
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 9);
			run killer()
		:: scenario == 21 -> /* kill_polls */
			START(1, 1);
			limit = 1;
			run writer(POLLING, 2);
			run reader(POLLING, 1, 9);
			run killer()
		:: scenario == 22 -> /* kill_writer */
			START(2, 1);
			limit = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run killer()
		:: scenario == 23 -> /* kill_reader */
			START(1, 2);
			limit = 1;
			run writer(BLOCKING, 2);
			run reader(BLOCKING, 1, 9);
			run reader(BLOCKING, 1, 9);
			run killer()
		:: scenario == 24 -> /* kill_poll_writer */
			START(2, 1);
			limit = 1;
			run writer(BLOCKING, 2);
			run writer(POLLING, 1);
			run reader(BLOCKING, 1, 9);
			run killer()
		:: scenario == 25 -> /* kill_poll_reader */
			START(1, 2);
			limit = 1;
			run writer(BLOCKING, 2);
			run reader(POLLING, 1, 9);
			run reader(BLOCKING, 1, 1);
			run killer()
		:: scenario == 26 -> /* kill_edges */
			START(2, 1);
			limit = 2;
			run writer(EDGE, 2);
			run writer(BLOCKING, 1);
			run reader(EDGE, 3, 9);
			run killer()
		:: scenario == 27 -> /* kill_saturated */
			START(2, 1);
			limit = 1;
			run writer(BLOCKING, 2);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 1);
			run killer()
		:: scenario == 28 -> /* kill_level */
			START(2, 1);
			limit = 1;
			run writer(LEVEL, 1);
			run writer(LEVEL, 1);
			run reader(LEVEL, 1, 9);
			run killer()
		:: scenario == 29 -> /* two_two */
			START(2, 2);
			limit = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 1);
			run reader(BLOCKING, 1, 1)
		:: scenario == 30 -> /* two_two_polls */
			START(2, 2);
			limit = 1;
			run writer(BLOCKING, 1);
			run writer(POLLING, 1);
			run reader(BLOCKING, 1, 1);
			run reader(POLLING, 1, 1)
		:: scenario == 31 -> /* loop */
			START(1, 1);
			limit = 2;
			loops = 1;
			alone = 1;
			run writer(BLOCKING, 3);
			run reader(LOOP, 1, 9)
		:: scenario == 32 -> /* loop_edge */
			START(1, 1);
			limit = 2;
			loops = 1;
			run writer(BLOCKING, 3);
			run reader(LOOP_EDGE, 4, 9)
		:: scenario == 33 -> /* loop_writers */
			START(2, 1);
			limit = 2;
			loops = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(LOOP_EDGE, 4, 9)
		:: scenario == 34 -> /* loop_left */
			START(2, 1);
			limit = 2;
			loops = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(LOOP_LEFT, 4, 9)
		:: scenario == 35 -> /* loop_ends */
			START(1, 2);
			readers = 1;
			limit = 2;
			loops = 1;
			run writer(BLOCKING, 2);
			run reader(LOOP_EDGE, 4, 9);
			run ender(1)
		:: scenario == 36 -> /* loop_ends_level */
			START(1, 2);
			readers = 1;
			limit = 2;
			loops = 1;
			alone = 1;
			run writer(BLOCKING, 2);
			run reader(LOOP, 1, 9);
			run ender(0)
		:: scenario == 37 -> /* loop_room */
			START(1, 1);
			limit = 1;
			loops = 1;
			run writer(LOOP_EDGE, 3);
			run reader(BLOCKING, 1, 9)
		:: scenario == 38 -> /* loop_killed */
			START(2, 1);
			limit = 2;
			loops = 1;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(LOOP_EDGE, 4, 9);
			run killer()
#ifdef HANDLERS
		:: scenario == 51 -> /* handler_writer */
			START(1, 1);
			limit = 1;
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run handler(1)
		:: scenario == 52 -> /* handler_twice */
			START(1, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run handler(1);
			run handler(1)
		:: scenario == 53 -> /* handler_writers */
			START(2, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run handler(1)
		:: scenario == 54 -> /* handler_both */
			START(2, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run handler(1);
			run handler(2)
		:: scenario == 55 -> /* handler_reader */
			START(1, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run reader(BLOCKING, 1, 9);
			run handler(2)
		:: scenario == 56 -> /* handler_edge */
			START(1, 1);
			limit = 2;
			run writer(BLOCKING, 1);
			run reader(EDGE, 4, 9);
			run handler(1)
#endif
		:: else -> assert(known_scenario)
		fi;
