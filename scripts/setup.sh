# Sourced by quickstart, test and bench: the packages of package-lock.json, and Node 26 from them on the PATH.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Prints a command line, then runs it.
show() {
  printf '\n$ %s\n' "$*"
  "$@"
}

install_packages() {
  command -v node >/dev/null || fail 'node is not installed' 'any Node from 20 on will do: https://nodejs.org'
  command -v npm >/dev/null || fail 'npm is not installed' 'it comes with Node: https://nodejs.org'
  local major
  major=$(node -p 'parseInt(process.versions.node, 10)')
  [ "$major" -ge 20 ] || fail "this is Node $(node --version)" 'any Node from 20 on will do: https://nodejs.org'
  # npm writes the second file last: older than the first means another or no installation.
  if [ package-lock.json -nt node_modules/.package-lock.json ] || [ ! -x node_modules/node/bin/node ]; then
    # Packages that want a newer Node than the one npm runs on get it: Node 26 is one of them.
    show npm ci --loglevel=error --no-progress
    [ -x node_modules/node/bin/node ] || fail 'npm did not install Node 26' 'npm must run the install script of the package "node": npm rebuild node'
    touch node_modules/.package-lock.json
  fi
  PATH="$root/node_modules/.bin:$PATH"
}
