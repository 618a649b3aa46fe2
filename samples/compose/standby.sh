#!/bin/sh
# A standby of the server that PGHOST, PGUSER and PGPASSWORD name: copied from it once, then kept up
# to date. Its cluster's name is the one that the primary waits for.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  pg_basebackup --pgdata="$PGDATA" --wal-method=stream --checkpoint=fast --write-recovery-conf
  chmod 0700 "$PGDATA"
fi
exec postgres -c cluster_name=standby "$@"
