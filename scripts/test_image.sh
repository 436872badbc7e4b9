#!/bin/sh
# Test the image by building and running it: with Docker or Podman, if one of them answers and can have the
# published base image. Else no registry is needed: on a Debian machine, and as root, a base image of the same kind
# is made of packages (a minute or two, once; it is kept in ~/.cache). ARGUMENTs go to pytest.
set -eu
cd "$(dirname "$0")/.."

SUITE=trixie # as in src/Dockerfile
PACKAGES=ca-certificates,python3,python3-pip,python3-venv
TOOLS='podman buildah runc conmon debootstrap'
storage=${XDG_CACHE_HOME:-$HOME/.cache}/ashore-test-image
published=$(sed -n 's/^FROM \(.*\) AS published$/\1/p' src/Dockerfile)

leave_out() {
    echo "test-image: left out, but for what needs no engine: $1"
    [ "${CI:-}" != true ] || exit 1
    exec .venv/bin/pytest -m 'not image and not infra' src/tests/image
}

has_the_published_base() {
    "$1" info >/dev/null 2>&1 || return 1
    "$1" image inspect "$published" >/dev/null 2>&1 || "$1" pull --quiet "$published" >/dev/null 2>&1
}

# Podman as it works without a service manager, a network of its own and limits to raise; apart from
# whatever else it keeps on this machine. A layer is a copy of everything where overlays cannot be mounted.
configure_podman() {
    mkdir -p "$storage"
    cat >"$storage/containers.conf" <<CONF
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=1024:1024"]
CONF
    export CONTAINERS_CONF="$storage/containers.conf" CONTAINERS_STORAGE_CONF="$storage/storage.conf"
    export BUILDAH_ISOLATION=chroot CONTAINER_ENGINE=podman
    for driver in overlay vfs; do
        printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' \
            "$driver" "$storage/$driver" "$storage/run-$driver" >"$storage/storage.conf"
        ! podman info >/dev/null 2>&1 || break
    done
}

# Where apt finds packages here; another release of the same distribution lies beside this one's.
mirror() {
    # shellcheck disable=SC2016 # those are apt's
    apt-get indextargets --format '$(SITE) $(ORIGIN)' 'Created-By: Packages' | sed -n 's/ Debian$//p' | grep -v security | head -n 1
}

# A base like the published one: the same release, pip, and a standard library that is not compiled.
make_base() {
    mirror=$(mirror) # none: debootstrap knows one
    debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$1" ${mirror:+"$mirror"} >"$storage/debootstrap.log" || return 1
    rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*
    find "$1/usr" -name __pycache__ -prune -exec rm -r {} +
    container=$(buildah from scratch) &&
        buildah add --quiet "$container" "$1" / >/dev/null &&
        buildah commit --quiet "$container" "$BASE_IMAGE" >/dev/null &&
        buildah rm "$container" >/dev/null
}

for engine in ${CONTAINER_ENGINE:-docker podman}; do
    if has_the_published_base "$engine"; then
        export CONTAINER_ENGINE="$engine"
        exec .venv/bin/pytest -m 'not infra' src/tests/image "$@"
    fi
done

[ "$(id -u)" = 0 ] || leave_out 'neither Docker nor Podman can have the base image, and only root can make one'
for tool in $TOOLS; do
    command -v "$tool" >/dev/null || leave_out "no engine has the base image, and to make one $tool is missing (apt-get install $TOOLS)"
done
configure_podman
export BASE_IMAGE="localhost/ashore-test-base:$SUITE"
if ! podman image exists "$BASE_IMAGE" 2>/dev/null; then
    echo "test-image: making a base image of Debian's packages, once ..."
    root=$(mktemp -d)
    make_base "$root" && made=true || made=false
    rm -rf "$root"
    $made || leave_out "no base image could be made; see $storage/debootstrap.log"
fi
exec .venv/bin/pytest -m 'not infra' src/tests/image "$@"
