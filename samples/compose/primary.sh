#!/bin/sh
# Run once, by the image's own start, after the database was made: lets the standby in, and from the
# next start on tells no commit before the standby has it on its disk, too. (Not earlier, or what
# makes the database would wait for a standby that there cannot be yet.)
set -eu
echo 'host replication all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
cat >> "$PGDATA/postgresql.conf" << 'END'
synchronous_commit = on
synchronous_standby_names = 'FIRST 1 (standby)'
END
