# Sourced by what a person types: finds a container engine, or installs Debian's and starts it by hand where no init runs it.

# install_docker: afterwards tests with containers run, and MU_REQUIRE_DOCKER=1 has them fail rather than be passed over. Where
# no engine can be had it says so, loudly, and fails; the rest can run without it. An engine that was started here runs on:
# others may use it; its process id stands in /run/docker.pid.
install_docker() {
  if _docker_answers && _docker_has_tools; then
    export MU_REQUIRE_DOCKER=1
    return 0
  fi
  if [ "$(id -u)" != 0 ]; then
    _docker_missing "this is not root: install docker.io, busybox-static, nftables and e2fsprogs, and let $(id -un) use /var/run/docker.sock"
    return 1
  fi
  if ! command -v apt-get > /dev/null; then
    _docker_missing "there is no apt-get: install the Docker Engine, busybox-static, nftables and e2fsprogs by hand"
    return 1
  fi
  local log keep_log=no
  log=$(mktemp /tmp/mu-dockerd.XXXXXX.log)
  if ! _docker_packages > "$log" 2>&1; then
    _docker_missing "apt-get could not install docker.io, busybox-static, nftables and e2fsprogs; its messages stand in $log"
    return 1
  fi
  if ! _docker_answers && ! _docker_start "$log"; then
    _docker_missing "dockerd does not run here; its messages stand in $log"
    return 1
  fi
  [ "$keep_log" = yes ] || rm -f "$log"
  export MU_REQUIRE_DOCKER=1
}

_docker_answers() {
  command -v docker > /dev/null && timeout 10 docker info > /dev/null 2>&1
}

# What tests with networks and volumes call beside the engine.
_docker_has_tools() {
  [ -x /bin/busybox ] || return 1
  local tool
  for tool in nft mkfs.ext4 ip; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" > /dev/null || return 1
  done
}

_docker_packages() {
  local wanted=(busybox-static nftables e2fsprogs iproute2)
  # An engine that is here already, from wherever, stays.
  command -v dockerd > /dev/null || wanted+=(docker.io)
  # Whoever asks for this may have an old list of packages, or none.
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${wanted[@]}" && return 0
  apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${wanted[@]}"
}

# _docker_start LOG: by the system's init where one runs, else by hand, in a session of its own.
_docker_start() {
  if [ -d /run/systemd/system ]; then
    systemctl start docker >> "$1" 2>&1
  else
    echo "starting dockerd, which writes to $1 …" >&2
    keep_log=yes
    setsid dockerd >> "$1" 2>&1 < /dev/null &
  fi
  local tries=0
  until _docker_answers; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || return 1
    sleep 1
  done
}

_docker_missing() {
  {
    echo
    echo "*** NOT RUN: everything with containers, for want of a container engine"
    echo "*** $1"
    echo
  } >&2
}
