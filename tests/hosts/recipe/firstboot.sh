#!/bin/sh
# Makes a host what it is for, once. What it is stands in /etc/kanban-host/environment (see kanban-firstboot.service):
# KANBAN_ROLE, and KANBAN_PRIMARY (whose replica, or whose Sentinel it is: an address) or KANBAN_REPLICAS (names of slots
# to make).
set -eu
data=/var/lib/postgresql/17/main
bin=/usr/lib/postgresql/17/bin

# As `systemctl enable --now` does, without what Debian's takes for SysV scripts, and without waiting: pg_ctlcluster sleeps
# two seconds over a server that accepts connections at once.
enable_now() {
    systemctl add-wants multi-user.target "$1"
    systemctl start --no-block "$1"
}

as_postgres() { runuser -u postgres -- "$@"; }

postgres_primary() {
    # Hosts live for minutes: syncing an empty cluster to disk would only cost time.
    as_postgres "$bin/initdb" --no-sync --pgdata "$data" --encoding UTF8 --locale C.UTF-8 \
        --data-checksums --auth-local peer --auth-host scram-sha-256 >/dev/null
    # The configuration lies in /etc/postgresql, as on any Debian host; a second copy would only mislead.
    rm -f "$data/postgresql.conf" "$data/pg_hba.conf" "$data/pg_ident.conf"
    enable_now postgresql.service
    # The unit's time limit ends the wait for a server that does not come.
    until as_postgres psql -X -q -d postgres -c 'SELECT 1' >/dev/null 2>&1; do
        sleep 0.05
    done
    {
        # Passwords go by standard input: an argument can be read by every user of the host.
        printf "SET password_encryption = 'scram-sha-256';\n"
        printf "ALTER ROLE postgres PASSWORD '%s';\n" "$(cat /etc/kanban-host/postgres_password)"
        printf "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '%s';\n" "$(cat /etc/kanban-host/replication_password)"
        for slot in $KANBAN_REPLICAS; do
            printf "SELECT pg_create_physical_replication_slot('%s');\n" "$slot"
        done
    } | as_postgres psql -X -q -v ON_ERROR_STOP=1 -d postgres -f - >/dev/null
}

postgres_replica() {
    pass=/var/lib/postgresql/.pgpass
    install -o postgres -g postgres -m 0600 /dev/null "$pass"
    printf '%s:5432:*:replicator:%s\n' "$KANBAN_PRIMARY" "$(cat /etc/kanban-host/replication_password)" >"$pass"
    # All hosts boot at once, so the primary may be a moment away; the unit's time limit ends the wait.
    until as_postgres "$bin/pg_basebackup" --pgdata "$data" --checkpoint fast --no-sync --write-recovery-conf \
        --slot "$(hostname)" --wal-method stream \
        --dbname "host=$KANBAN_PRIMARY user=replicator passfile=$pass application_name=$(hostname) connect_timeout=2"; do
        sleep 0.2
    done
    test -e "$data/standby.signal"
    enable_now postgresql.service
}

redis_replica() {
    # Into the file itself: a failover rewrites it, and has to find the line that it changes.
    printf 'replicaof %s 6379\n' "$KANBAN_PRIMARY" >>/etc/redis/redis.conf
    enable_now redis-server.service
}

redis_sentinel() {
    # It writes what it learns into this file. One alone is a majority of one; seconds, for rehearsals are short.
    {
        printf 'port 26379\nbind 0.0.0.0\nprotected-mode no\ndir /var/lib/redis\n'
        printf 'logfile /var/log/redis/redis-sentinel.log\npidfile /run/sentinel/redis-sentinel.pid\n'
        printf 'sentinel monitor mymaster %s 6379 1\n' "$KANBAN_PRIMARY"
        printf 'sentinel down-after-milliseconds mymaster 2000\nsentinel failover-timeout mymaster 10000\n'
    } >/etc/redis/sentinel.conf
    enable_now redis-sentinel.service
}

case $KANBAN_ROLE in
    postgres-primary) postgres_primary ;;
    postgres-replica) postgres_replica ;;
    redis) enable_now redis-server.service ;;
    redis-replica) redis_replica ;;
    redis-sentinel) redis_sentinel ;;
    # node and pm2 are there; what runs under them is brought by whoever needs it.
    app) ;;
    *)
        echo "unknown role $KANBAN_ROLE" >&2
        exit 1
        ;;
esac
touch /var/lib/kanban-firstboot
