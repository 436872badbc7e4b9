#!/bin/sh
# Build, run and push the image of ashore with Docker or Podman, and clean up after it.
#
#     scripts/image.sh build              the image of this commit
#     scripts/image.sh run [ARGUMENT...]  extract today in it; ARGUMENTs are those of `ashore extract`
#     scripts/image.sh push ENV           into the registry that ENV's terraform.tfvars.json names;
#                                         the last line of standard output is the image's digest
#     scripts/image.sh clean              remove all that this made in the local engine
#
# The environment may say:
#
#     TO                 where a run lands: a folder (default: countries), or s3://BUCKET/PREFIX
#     PROFILE            a profile of ~/.aws (default: dev); empty: the credentials of the environment
#     ASHORE_CATALOG     a catalog of one's own; other ASHORE_ variables reach ashore as they are
#     CONTAINER_ENGINE   docker or podman (default: the first of them that answers)
#     CONTAINER_OPTIONS  more options of the engine's build and run, such as --network=host
#     IMAGE              another name than ashore:COMMIT, for build and run
#     BASE_IMAGE         another base than the one of src/Dockerfile
#     PLATFORM           what it is built for (default: linux/amd64, which the task in AWS is)
set -eu
cd "$(dirname "$0")/.."

LABEL=ashore.made_by=scripts/image.sh
RUN_LABEL=ashore.run_by=scripts/image.sh
PLATFORM=${PLATFORM:-linux/amd64}

refuse() {
    echo "image: $1" >&2
    exit 2
}

# Sets engine, and flavour: what kind it is, whatever its name.
find_engine() {
    for engine in ${CONTAINER_ENGINE:-docker podman}; do
        if "$engine" info >/dev/null 2>&1; then
            case $("$engine" --version) in *podman*) flavour=podman ;; *) flavour=docker ;; esac
            return
        fi
    done
    for engine in ${CONTAINER_ENGINE:-docker podman}; do
        command -v "$engine" >/dev/null && refuse "$engine is installed but does not answer: start it, and see \`$engine info\`"
    done
    refuse "there is no ${CONTAINER_ENGINE:-docker and no podman}: install Docker or Podman, or name another: CONTAINER_ENGINE=..."
}

# Sets commit, changes, and image: the name of what this checkout makes.
find_commit() {
    commit=$(git rev-parse --verify HEAD 2>&1) ||
        refuse "an image is named by its commit, and there is none: $(echo "$commit" | sed -n 1p)"
    changes=$(git status --porcelain)
    image=${IMAGE:-ashore:$commit${changes:+-changed}}
}

# Writes what src/Dockerfile copies. Nothing of it depends on when or where it is written.
write_context() {
    poetry=.poetry/bin/poetry
    [ -x "$poetry" ] || refuse "Poetry is not there yet: make docker-build installs it first"
    moment=$(git log -1 --format=%ct)
    rm -rf dist/image
    mkdir -p dist/image
    "$poetry" export --quiet --only main --format requirements.txt --output dist/image/requirements.txt
    SOURCE_DATE_EPOCH=$moment "$poetry" build --quiet --format wheel --output dist/image
    # The index may hold a password: it reaches the build as a secret, and no layer.
    (umask 077 && printf '[global]\nindex-url = %s\n' "$(.poetry/bin/python scripts/pip_index.py)" >dist/image/pip.conf)
    certificates=${PIP_CERT:-${SSL_CERT_FILE:-}}
    [ -z "$certificates" ] || echo 'cert = /run/secrets/certificates' >>dist/image/pip.conf
}

# Prints where the source lies, as far as that is public: without a name or a password.
source_url() {
    git remote get-url origin 2>/dev/null | sed -n \
        -e 's#^git@\([^:/]*\):\(.*\)#https://\1/\2#' \
        -e 's#^https://[^/@]*@#https://#' \
        -e 's#\.git$##' \
        -e '/^https:/p'
}

build() {
    write_context >&2
    set -- --file src/Dockerfile --tag "$image" --platform "$PLATFORM" \
        --secret id=pip.conf,src=dist/image/pip.conf \
        --build-arg "REVISION=$commit${changes:+-changed}" \
        --build-arg "CREATED=$(TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)" \
        --build-arg "SOURCE=$(source_url)" \
        --build-arg "VERSION=$("$poetry" version --short)"
    [ -z "$certificates" ] || set -- "$@" --secret "id=certificates,src=$certificates"
    [ -z "${BASE_IMAGE:-}" ] || set -- "$@" --build-arg "BASE_IMAGE=$BASE_IMAGE"
    # Both take times from the commit. An attestation would make the image an index, whose digest is another one's.
    case $flavour in
    podman) set -- "$@" --pull=missing --timestamp "$moment" ;;
    docker) set -- "$@" --build-arg "SOURCE_DATE_EPOCH=$moment" && export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1 ;;
    esac
    # shellcheck disable=SC2086 # several options, or none
    "$engine" build ${CONTAINER_OPTIONS:-} "$@" . >&2
    echo "image: built $image" >&2
}

# The arguments reach `ashore extract` after what is said here; so does the exit status of it the caller.
run() {
    "$engine" image inspect "$image" >/dev/null 2>&1 || refuse "there is no image $image yet: make docker-build"
    to=${TO:-countries}
    case $to in
    s3://*) set -- extract --to "$to" "$@" ;;
    *)
        mkdir -p -- "$to" || exit 2
        folder=$(cd -- "$to" && pwd)
        set -- extract --to "$folder" "$@"
        ;;
    esac
    set -- "$image" "$@"
    # Where it is in the host, so that what ashore says of a file is right there too.
    if [ -n "${folder:-}" ]; then
        must_be_mountable "$folder"
        set -- --volume "$folder:$folder" "$@"
    fi
    if [ -n "${ASHORE_CATALOG:-}" ]; then
        [ -f "$ASHORE_CATALOG" ] || refuse "ASHORE_CATALOG: there is no file $ASHORE_CATALOG"
        catalog=$(cd -- "$(dirname -- "$ASHORE_CATALOG")" && pwd)/$(basename -- "$ASHORE_CATALOG")
        must_be_mountable "$catalog"
        set -- --env "ASHORE_CATALOG=$catalog" --volume "$catalog:$catalog:ro" "$@"
    fi
    if [ -d "${HOME:-}/.aws" ]; then
        must_be_mountable "$HOME/.aws"
        set -- --volume "$HOME/.aws:/home/ashore/.aws:ro" "$@"
    elif [ -n "$PROFILE" ] && [ -z "${folder:-}" ]; then
        refuse "there is no ~/.aws with a profile \"$PROFILE\": aws configure sso, or PROFILE= for the credentials of the environment"
    fi
    [ -z "$PROFILE" ] || set -- --env "AWS_PROFILE=$PROFILE" "$@"
    for name in $(handed_over); do set -- --env "$name" "$@"; done
    if [ -t 0 ] && [ -t 1 ]; then set -- --interactive --tty "$@"; fi
    # As in AWS; the label of SELinux is left off, or a home folder could not be read without changing its labels.
    # shellcheck disable=SC2046,SC2086 # several options, or none
    exec "$engine" run --rm --pull=never --label "$RUN_LABEL" $(as_the_caller) \
        --read-only --cap-drop=all --security-opt=no-new-privileges --security-opt=label=disable \
        ${CONTAINER_OPTIONS:-} "$@"
}

# Prints what makes the caller the user of the container: its files are the caller's, and it may read what only
# the caller may.
as_the_caller() {
    if [ "$flavour" = podman ] && [ "$("$engine" info --format '{{.Host.Security.Rootless}}')" = true ]; then
        echo "--userns=keep-id --user $(id -u):$(id -g)"
    elif [ "$flavour" = docker ] && "$engine" info --format '{{.SecurityOptions}}' | grep -q name=rootless; then
        echo '--user 0:0' # who is nobody but the caller outside
    else
        echo "--user $(id -u):$(id -g)"
    fi
}

must_be_mountable() {
    case $1 in *:*) refuse "a path with a colon cannot be mounted: $1" ;; esac
}

# Prints the names of the variables that reach ashore: its own, those of AWS, and the keys of the catalog's sources.
# Files are not there; beside a profile keys of the environment would win.
handed_over() {
    env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | while read -r name; do
        case $name in
        ASHORE_TO | ASHORE_CATALOG | ASHORE_TEST_*) ;;
        AWS_*PROFILE | AWS_*_FILE | AWS_CA_BUNDLE) ;;
        AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN) [ -n "$PROFILE" ] || echo "$name" ;;
        ASHORE_* | AWS_*) echo "$name" ;;
        esac
    done
    sed -n 's/.*env *= *"\([A-Za-z_][A-Za-z0-9_]*\)".*/\1/p' "${ASHORE_CATALOG:-src/ashore/catalog.toml}"
}

push() {
    [ -z "$changes" ] || refuse "there are changes that no commit has, and the tag of an image is its commit: commit them, or git stash -u"
    image=ashore:$commit
    [ "$PLATFORM" = linux/amd64 ] || refuse "the task in AWS is linux/amd64: leave PLATFORM away"
    repository=$(registry repository "$1")
    digest=$(registry digest "$1" "$commit")
    if [ -n "$digest" ]; then
        echo "image: $repository has $commit already" >&2
        echo "$digest"
        return
    fi
    build
    host=${repository%%/*}
    registry password "$1" | "$engine" login --username AWS --password-stdin "$host" >&2
    trap '"$engine" logout "$host" >&2' EXIT
    "$engine" tag "$image" "$repository:$commit"
    # Somebody else may have been faster with the same commit: a tag there is never replaced.
    "$engine" push "$repository:$commit" >&2 || echo "image: not pushed; perhaps it is there by now" >&2
    digest=$(registry digest "$1" "$commit")
    [ -n "$digest" ] || { echo "image: $repository has no $commit; the reason stands above" >&2 && exit 1; }
    echo "$digest"
}

registry() {
    [ -x .venv/bin/python ] || refuse "the environment is not there yet: make docker-push installs it first"
    .venv/bin/python scripts/registry.py --profile "$PROFILE" "$@"
}

# Others may have built upon our images, under names of their own: those stay, and what they need.
clean() {
    for container in $("$engine" ps --all --quiet --filter "label=$RUN_LABEL"); do
        "$engine" rm --force --volumes "$container" >/dev/null
    done
    "$engine" images --filter "label=$LABEL" --format '{{.Repository}}:{{.Tag}}' | while read -r name; do
        case $name in ashore:* | localhost/ashore:* | *.dkr.ecr.*/ashore:*) "$engine" rmi "$name" >/dev/null ;; esac
    done
    "$engine" image prune --force --filter "label=$LABEL" >/dev/null
    echo "image: removed all that was made here" >&2
    [ "$flavour" != docker ] || echo 'image: the build cache of Docker, shared by all projects, is left: docker builder prune' >&2
}

PROFILE=${PROFILE-dev}
command=${1:-}
[ $# -eq 0 ] || shift
case $command in
build | run | clean | push)
    [ "$command" != push ] || [ $# -eq 1 ] || refuse 'push needs the name of an environment: scripts/image.sh push dev'
    find_engine
    [ "$command" = clean ] || find_commit
    "$command" "$@"
    ;;
-h | --help | help) sed -n '2,/^set/s/^#\( \|$\)//p' "$0" ;;
*) refuse "what is to be done? build, run, push or clean; see scripts/image.sh --help" ;;
esac
