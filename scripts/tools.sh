# Sourced by test and bench: the other tools that tests compare with. Each test that lacks its tool says so and skips.

# command = Debian package
readonly TOOLS='docker-registry=docker-registry skopeo=skopeo umoci=umoci nginx=nginx-light htpasswd=apache2-utils bwrap=bubblewrap
  mksquashfs=squashfs-tools newuidmap=uidmap bsdtar=libarchive-tools mkfs.erofs=erofs-utils getfattr=attr openssl=openssl python3=python3 busybox=busybox-static hyperfine=hyperfine tar=tar zstd=zstd crun=crun runc=runc tini-static=tini ip=iproute2 nft=nftables'

# 60 MB for the one test that `docker load` takes our archives: nice to have.
readonly LARGE_TOOLS='dockerd=docker.io'

# What only bench runs.
readonly BENCH_TOOLS='podman=podman ctr=containerd containerd=containerd gcc=gcc /usr/bin/time=time'

# Packages that are missing of a list like those above.
missing_tools() {
  local pair
  for pair in $1; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || printf '%s\n' "${pair##*=}"
  done
}

# As root on Debian: installs what is missing of a list (default $TOOLS). Elsewhere: tells it, and with $CI set gives up.
install_tools() {
  local missing list=${1:-$TOOLS}
  missing=$(missing_tools "$list" | xargs)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    printf 'installing %s\n' "$missing"
    apt_install $missing || printf 'apt-get failed\n'
    missing=$(missing_tools "$list" | xargs)
  fi
  [ -n "$missing" ] || return 0
  printf 'missing tools: %s (what needs them is skipped)\nhint: apt-get install %s\n' "$missing" "$missing"
  [ -z "${CI:-}" ] || return 1
}

# Installs packages without questions and without starting their services.
apt_install() {
  local policy=/usr/sbin/policy-rc.d made= status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" >/dev/null; } || status=$?
  [ -z "$made" ] || rm -f "$policy"
  # Nor at the next boot.
  if [ -d /run/systemd/system ]; then
    case " $* " in *' docker-registry '*) systemctl disable --quiet docker-registry ;; esac
    case " $* " in *' nginx-light '*) systemctl disable --quiet nginx ;; esac
    case " $* " in *' containerd '*) systemctl disable --quiet containerd ;; esac
    case " $* " in *' docker.io '*) systemctl disable --quiet docker.service docker.socket containerd ;; esac
  fi
  return "$status"
}
