#!/usr/bin/env bash
# Sends each line through a coprocess and prints what it answers.
set -euo pipefail

coproc DOUBLE { while read -r line; do echo "$line $line"; done; }
while read -r line; do
	echo "$line" >&"${DOUBLE[1]}"
	read -r answer <&"${DOUBLE[0]}"
	echo "$answer"
done
