#!/bin/sh
# Libraries for another kind of processor than this one, from Debian's packages:
#
#   python/libraries.sh aarch64 FOLDER PACKAGE…
#
# Nothing of this system changes: apt has its state in FOLDER, and packages are unpacked, not installed.
set -eu
case $1 in
aarch64) debian=arm64 ;;
x86_64) debian=amd64 ;;
*) echo "libraries.sh: Debian's name of $1 is not known" >&2 && exit 1 ;;
esac
mkdir -p "$2/apt/lists/partial" "$2/apt/archives/partial"
cd "$2"
shift 2
: > apt/status
cat > apt/conf <<END
APT::Architecture "$debian";
APT::Architectures { "$debian"; };
APT::Sandbox::User "root";
Dir::State "$PWD/apt";
Dir::State::status "$PWD/apt/status";
Dir::Cache "$PWD/apt";
END
export APT_CONFIG="$PWD/apt/conf"
apt-get update -qq
apt-get download -qq "$@"
for package in *.deb; do
    dpkg-deb -x "$package" .
    rm "$package"
done
