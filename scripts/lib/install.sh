# Sourced by what a person types: installs what the checkout needs, once per lock file, and puts the pinned Node first.
# Sets ROOT and PATH. Needs Node 20 or newer and npm on the machine; everything else comes with `npm ci`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH="$ROOT/node_modules/.bin:$PATH"

die() {
  echo "$*" >&2
  exit 1
}

install_dependencies() {
  command -v npm > /dev/null || die "npm is missing: install Node 20 or newer (https://nodejs.org), then run this again"
  local stamp=$ROOT/node_modules/.mu-installed
  if [ ! -e "$stamp" ] || ! cmp -s "$ROOT/package-lock.json" "$stamp"; then
    # Two runs in one checkout install once.
    exec 9> "$ROOT/.install.lock"
    flock 9
    if [ ! -e "$stamp" ] || ! cmp -s "$ROOT/package-lock.json" "$stamp"; then
      echo "installing dependencies (npm ci) …" >&2
      (cd "$ROOT" && npm ci --no-audit --no-fund --loglevel=error) >&2 || die "npm ci failed: its message stands above"
      cp "$ROOT/package-lock.json" "$stamp"
    fi
    exec 9>&-
  fi
  case $("$ROOT/node_modules/.bin/node" --version 2> /dev/null) in
    v24.*) ;;
    *) die "the pinned Node 24 is not installed: npm must be allowed to run the install script of the package 'node' (see allowScripts in package.json); then remove node_modules and run this again" ;;
  esac
}

# The examples' function and image are made once per change of their source. The image needs busybox, which comes with the
# container engine: where there is none, nothing needs the image.
build_examples() {
  build_example login build/simple_backend.wasm assembly
  [ ! -x /bin/busybox ] || build_example shop build/web.tar src
}

# A web tier, and Redis of Debian's packages: needs the network, once.
build_photon() {
  build_example photon build/db.tar src
}

# build_example NAME RESULT SOURCE: within examples/NAME.
build_example() {
  local folder=$ROOT/examples/$1
  local out=$folder/$2
  if [ ! -e "$out" ] || [ -n "$(find "$folder/$3" "$folder/package.json" -newer "$out")" ]; then
    echo "making examples/$1 …" >&2
    (cd "$ROOT" && npm run --silent build -w "examples/$1") >&2 || die "examples/$1 cannot be made: the message stands above"
  fi
}

# CometBFT, for the tests of networks: found, or installed with Go where that is. Prints what to do where neither is, and
# fails then; the rest can run without it.
install_cometbft() {
  node --disable-warning=ExperimentalWarning "$ROOT/scripts/lib/cometbft.ts" > /dev/null
}
