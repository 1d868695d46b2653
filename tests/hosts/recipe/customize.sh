#!/bin/sh
# Run by mmdebstrap on the unpacked system: customize.sh ROOT RECIPE_DIR PM2_DIR.
# Owners and modes are given here, because those of a checkout are whoever's made it.
set -eu
root=$1
recipe=$2
pm2=$3

put() { install -D -o root -g root -m "$1" "$recipe/$2" "$root/$3"; }
put 0755 firstboot.sh usr/local/sbin/kanban-firstboot
put 0644 kanban-firstboot.service etc/systemd/system/kanban-firstboot.service
put 0644 kanban-network.service etc/systemd/system/kanban-network.service
put 0644 sshd.conf etc/ssh/sshd_config.d/kanban.conf
put 0644 postgresql.conf etc/postgresql/17/main/conf.d/kanban.conf
put 0644 redis.conf etc/redis/kanban.conf
install -m 0640 "$recipe/pg_hba.conf" "$root/etc/postgresql/17/main/pg_hba.conf"
chroot "$root" chown postgres:postgres /etc/postgresql/17/main/pg_hba.conf
# The last setting wins in redis.conf, so ours go to its end.
echo 'include /etc/redis/kanban.conf' >>"$root/etc/redis/redis.conf"

# A cluster in the image would give every primary the same system_identifier, and then two primaries would look like
# one server listed twice. Each host makes its own at its first boot.
rm -rf "$root/var/lib/postgresql/17/main"

chroot "$root" systemctl disable \
    postgresql redis-server redis-sentinel pgbouncer \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer getty@tty1
# Host keys come with the run; making an RSA key at every boot would take a second.
chroot "$root" systemctl mask sshd-keygen.service
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" systemctl enable kanban-firstboot kanban-network
# What systemd does after an update of /usr was done with the packages; a boot need not do it again.
chroot "$root" /usr/lib/systemd/systemd-update-done

# pm2 as `npm install --global` would lay it down, and a user of its own for the application, as it should be run.
mkdir -p "$root/usr/local/lib/pm2"
cp -R --preserve=mode,links "$pm2/node_modules" "$root/usr/local/lib/pm2/"
chmod -R go=rX "$root/usr/local/lib/pm2"
ln -s ../lib/pm2/node_modules/pm2/bin/pm2 "$root/usr/local/bin/pm2"
chroot "$root" useradd --create-home --shell /bin/bash app

# Where the machine that built the image gets its packages from is its own affair.
rm -f "$root"/etc/apt/sources.list.d/* "$root/etc/apt/sources.list" "$root/etc/apt/apt.conf.d/99mmdebstrap"
