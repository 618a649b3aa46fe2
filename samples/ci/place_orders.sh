#!/bin/sh
# A pipeline's two steps, for any CI: `plan` shows what a file would buy, `apply` buys it, and only if
# the file is the one that was looked at.
#
#   place_orders.sh plan ORDERS.csv PLAN              in the step before the approval; keeps PLAN
#   place_orders.sh apply ORDERS.csv PLAN RESULTS.csv [OPTION...]     after it
#
# RESULTS.csv, its ledger and $XDG_STATE_HOME must outlive the job: on a volume, never in a cache.
# The key comes from the environment, and `plan` needs none. Ends with the exit code of sagorder.
set -eu
case ${1-} in plan) least=3 ;; *) least=4 ;; esac
if [ $# -lt $least ]; then
  echo "usage: place_orders.sh plan ORDERS.csv PLAN" >&2
  echo "       place_orders.sh apply ORDERS.csv PLAN RESULTS.csv [OPTION...]" >&2
  exit 2
fi
step=$1 orders=$2 plan=$3

case $step in
  plan)
    sagorder check "$orders" >"$plan.new"
    sha256sum <"$orders" >>"$plan.new"
    mv "$plan.new" "$plan"
    cat "$plan"
    ;;
  apply)
    results=$4
    shift 4
    if [ "$(tail -n 1 "$plan")" != "$(sha256sum <"$orders")" ]; then
      echo "place_orders: $orders is not the file that was planned and approved" >&2
      exit 4
    fi
    exec sagorder run "$orders" --output "$results" --yes --grace 70s --wait-lock 30m \
      --log-format json --progress none --summary "$results.summary.json" "$@"
    ;;
  *)
    echo "place_orders: plan or apply, not $step" >&2
    exit 2
    ;;
esac
