#!/bin/sh
# The libraries of metal-check for another kind of processor than this one, from Debian's packages:
#
#   python/libraries.sh aarch64 FOLDER
#
# Nothing of this system changes: apt has its state in FOLDER, and packages are unpacked, not installed.
set -eu
case $1 in
aarch64) debian=arm64 ;;
x86_64) debian=amd64 ;;
*) echo "libraries.sh: there is no wheel for $1" >&2 && exit 1 ;;
esac
mkdir -p "$2/apt/lists/partial" "$2/apt/archives/partial"
cd "$2"
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
apt-get download -qq libdw-dev libelf-dev libseccomp-dev zlib1g-dev liblzma-dev libbz2-dev libcjson1
for package in *.deb; do
    dpkg-deb -x "$package" .
done
