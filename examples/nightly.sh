#!/usr/bin/env bash
# Analyzes an estate of SQL every night, and prints the changes in its lineage since the last night.
#
#   nightly.sh ESTATE [DIRECTORY]
#
# ESTATE is a manifest or a directory for `sqlflow batch`. DIRECTORY, `nightly` by default, gets a folder for each day.
# A run that was killed continues when it is started again on the same day.
#
# The exit code is 0 without changes, 8 with changes, and that of the command that failed otherwise.
#
# The server and the credentials come from the configuration of sqlflow: SQLFLOW_URL, SQLFLOW_PROFILE and so on.
# SQLFLOW_NIGHTLY_ARGS has further arguments for `sqlflow batch`, such as "--emulator" or "--vendor oracle".
# SQLFLOW_NIGHTLY_DAY is the day, such as 2030-01-31, if it is not today.
set -euo pipefail

if (($# == 0)); then
    echo "usage: nightly.sh ESTATE [DIRECTORY]" >&2
    exit 2
fi
estate=$1
directory=${2:-nightly}
today=$directory/${SQLFLOW_NIGHTLY_DAY:-$(date +%F)}
read -ra arguments <<< "${SQLFLOW_NIGHTLY_ARGS:-}"

mkdir -p "$today"
sqlflow batch "$estate" --journal "$today/journal" --out "$today/jobs" --export full-json --keep-going \
    ${arguments[@]+"${arguments[@]}"}
sqlflow merge "$today/jobs" -o "$today/lineage.json"

# The last earlier day that has a lineage: the run of a day may have failed.
last=
for day in "$directory"/????-??-??; do
    if [[ $day < $today && -f $day/lineage.json ]]; then last=$day; fi
done
if [[ -z $last ]]; then
    echo "there is no earlier lineage to compare with" >&2
    exit 0
fi
sqlflow diff "$last/lineage.json" "$today/lineage.json"
