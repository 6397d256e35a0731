#!/usr/bin/env bash
# Kills the bot again and again under load, and looks whether every promise was kept (docs/storm.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kills=1000
seed=1
weather=faults
at_once=1000
life=2500
suspects=killed

while (($# > 0)); do
    case $1 in
        --kills) kills=$2 ;;
        --seed) seed=$2 ;;
        --weather) weather=$2 ;;
        --at-once) at_once=$2 ;;
        --life) life=$2 ;;
        --suspects) suspects=$2 ;;
        *)
            echo "usage: $0 [--kills N] [--seed N] [--weather calm|faults|leaps] [--at-once N] [--life MS] [--suspects killed|spared]" >&2
            exit 2
            ;;
    esac
    shift 2
done

cargo test --quiet --workspace --locked --no-run --test it

# Each with a seed and a folder of its own, so that one that goes wrong can be run again alone.
left=$kills
failed=0
while ((left > 0)); do
    now=$((left < at_once ? left : at_once))
    ATELIER_STORM_KILLS=$now ATELIER_STORM_SEED=$seed ATELIER_STORM_WEATHER=$weather ATELIER_STORM_LIFE_MS=$life ATELIER_STORM_SUSPECTS=$suspects \
        cargo test --quiet --workspace --locked --test it -- --exact --nocapture storm::every_promise_is_kept_in_a_storm || failed=$((failed + 1))
    left=$((left - now))
    seed=$((seed + 1))
done
echo "$kills kills, $failed storms in which a promise was not kept"
((failed == 0))
