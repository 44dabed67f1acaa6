#!/usr/bin/env bash
# Converts a run with a Slurm array: plans here, then N tasks make its rows, then one job puts the arrays together.
#
#   submit.sh INPUT OUT N [OPTION of trc2npy plan]...
#
# INPUT, OUT and this plan (OUT.plan) lie on storage that all nodes see at the same path. Logs are OUT.*.log. Options of sbatch
# (partition, account, time) come from the environment, as SBATCH_PARTITION and SBATCH_ACCOUNT, or stand in the two
# .sbatch files. Prints the numbers of the array and of the stitch job.
set -euo pipefail
[ $# -ge 3 ] || { printf 'usage: %s INPUT OUT N [OPTION of trc2npy plan]...\n' "$0" >&2; exit 2; }
input=$1 out=$2 shares=$3
shift 3
[[ $shares =~ ^[1-9][0-9]*$ ]] || { printf '%s: %s is no number of shares\n' "$0" "$shares" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The jobs run in a folder of their own.
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
plan=$out.plan

trc2npy plan "$input" --out "$out" -o "$plan" "$@" >&2
# In a pattern of sbatch a % begins something.
log=${out//%/%%}
array=$(sbatch --parsable --array="0-$((shares - 1))" --output="$log.%A_%a.log" "$here/array.sbatch" "$plan" "$shares")
# The name of a cluster may stand behind the number.
array=${array%%;*}
# Where a task fails for good, the job would wait for ever: it is cancelled instead, and says so in squeue.
stitch=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes --output="$log.stitch.%j.log" \
    "$here/stitch.sbatch" "$plan") || { scancel "$array"; exit 1; }
printf '%s %s\n' "$array" "${stitch%%;*}"
