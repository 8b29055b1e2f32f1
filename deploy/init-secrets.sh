#!/bin/sh
# Makes the secret files that docker-compose.yml mounts. What exists is never changed: run it as often as you like.
#
# The folder is closed to other users of this machine. The files in it are readable, since Compose mounts them as they
# are and the containers' users (postgres, 10001) are not yours.
set -eu
cd "$(dirname "$0")/secrets"
chmod 700 .
umask 022

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() { # name, value
    if [ -e "$1" ]; then echo "kept  deploy/secrets/$1"; else printf '%s' "$2" >"$1" && echo "wrote deploy/secrets/$1"; fi
}

make postgres_password "$(random)"
make owner_database_url "postgresql://ordersync:$(cat postgres_password)@postgres:5432/ordersync"
make worker_database_password "$(random)"
make ordersync_database_url "postgresql://ordersync_worker:$(cat worker_database_password)@postgres:5432/ordersync"
make ordersync_api_token "$(random)"
make main_callback_token "$(random)"
for digest in ann_token_sha256 ole_token_sha256; do
    [ -e "$digest" ] || echo "to do: put the digest that \`ordersync operators token\` prints into deploy/secrets/$digest" >&2
done
[ -e main_access_secret ] || echo "to do: put the access secret of the account \"main\" into deploy/secrets/main_access_secret" >&2
