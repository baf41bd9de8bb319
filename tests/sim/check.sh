#!/bin/sh
# The simulation in "make check": seeds that always run, the first ones twice to see that a seed repeats itself, and a
# few that nobody has seen. Bounded in time; the long run is "make sim SEEDS=10000".
set -eu
sim=${POSTRIDER_BUILD:-.}/tests/sim/sim

"$sim" --seed 1 --count 25 --seconds 15 --twice
"$sim" --seed 1000 --count 250 --seconds 20
"$sim" --fresh 100 --seconds 12
