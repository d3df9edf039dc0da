#!/bin/sh
# Installs the packages in a fresh Debian, runs debian/tests there with what each names in Depends and nothing else, and removes them again:
# deb_chroot_test.sh WORK VERSION. The empty system is kept as WORK/chroot.tar. 77: it can't be had, no mirror is reached.
set -eu
work=$1 version=$2
base=$work/chroot.tar chroot=$work/chroot
fail() { echo "deb: $*"; exit 1; }
fresh() {
  rm -rf "$chroot"
  mkdir "$chroot"
  tar -xf "$base" -C "$chroot"
  mkdir "$chroot/packages"
  cp "$work"/*_"$version"_*.deb "$chroot/packages"
}
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} chroot "$chroot" "$@"
}
quietly() { "$@" > "$work/chroot.log" 2>&1 || { tail -n 30 "$work/chroot.log"; fail "failed: $*"; }; }

if [ ! -f "$base" ]; then
  rm -rf "$chroot"
  if ! debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$chroot" > "$work/chroot.log" 2>&1; then
    tail -n 30 "$work/chroot.log"
    rm -rf "$chroot"
    grep -q "Failed getting release file\|Couldn't download\|Couldn't retrieve" "$work/chroot.log" || fail "debootstrap"
    echo "deb: no Debian mirror is reached"
    exit 77
  fi
  inside apt-get clean
  tar -cf "$base.part" -C "$chroot" .
  mv "$base.part" "$base"
fi
fresh
trap 'rm -rf "$chroot"' EXIT
cp -r "$work/gradus-$version/debian" "$chroot/debian"
cd "$chroot"                                   # patterns of files are read here, and hold inside too
quietly inside apt-get update

# The Depends of each test, our packages as files.
depends() { sed -n "\\#^Test-Command: sh $1 #,/^\$/s/^Depends: //p" debian/tests/control | tr -d ','; }
tests=$(sed -n 's/^Test-Command: sh \([^ ]*\) .*/\1/p' "$chroot/debian/tests/control")
for test in debian/tests/py $(echo "$tests" | grep -v /py); do               # Python first: it needs no package of a developer
  packages=
  for package in $(depends "$test"); do
    packages="$packages $(ls ./packages/"${package}_"*.deb 2> /dev/null || echo "$package")"
  done
  # libgradus1 is nowhere but here.
  # shellcheck disable=SC2086
  quietly inside apt-get install -y --no-install-recommends ./packages/libgradus1_"$version"_*.deb $packages
  program=$(sed -n "s#^Test-Command: sh $test ##p" "$chroot/debian/tests/control")
  inside sh "$test" "$program" > "$work/chroot.log" 2>&1 || { cat "$work/chroot.log"; fail "$test fails in the chroot"; }
  echo "deb: chroot: $test: $(tail -n 1 "$work/chroot.log")"
done

quietly inside dpkg -i packages/libgradus1_"$version"_*.deb packages/libgradus-dev_"$version"_*.deb packages/libgradus-doc_"$version"_*.deb \
  packages/python3-gradus_"$version"_*.deb
inside dpkg --verify libgradus1 libgradus-dev libgradus-doc python3-gradus | grep . && fail "installed files are not those of the packages"
quietly inside dpkg --purge libgradus1 libgradus-dev libgradus-doc python3-gradus
left=$(find . -xdev \( -path ./packages -o -path ./debian -o -path ./var/log -o -path ./var/cache \) -prune -o -name '*gradus*' -print)
[ -z "$left" ] || fail "left after purging: $left"
echo "deb: installed, tested and purged in a fresh system"
