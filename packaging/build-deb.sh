#!/bin/sh
# Makes a Debian package of a built executable. No debhelper: a tree, three scripts, dpkg-deb.
#
#   cargo build --profile dist && packaging/build-deb.sh target/dist/packagist-selfhosted [OUTPUT-DIRECTORY]
#
# The man page and the shell completions are what the executable itself prints. The same input makes the same package, byte
# for byte, if SOURCE_DATE_EPOCH is set. Needs dpkg-deb.
set -eu
umask 022

binary=${1:?usage: packaging/build-deb.sh EXECUTABLE [OUTPUT-DIRECTORY]}
output=${2:-.}
source=$(cd "$(dirname "$0")/.." && pwd)
name=packagist-selfhosted
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source/Cargo.toml" | head -n 1)
architecture=$(dpkg --print-architecture)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
mkdir -m 0755 "$tree"

install -D -m 0755 "$binary" "$tree/usr/bin/$name"
install -D -m 0644 "$source/systemd/$name.service" "$tree/usr/lib/systemd/system/$name.service"
install -D -m 0644 "$source/systemd/$name.sysusers" "$tree/usr/lib/sysusers.d/$name.conf"
install -D -m 0644 "$source/config.example.toml" "$tree/usr/share/doc/$name/config.example.toml"
install -D -m 0644 "$source/LICENSE" "$tree/usr/share/doc/$name/copyright"

# The packaged configuration differs from the example in one key: the data is where the unit may write.
mkdir -p "$tree/etc/$name"
sed 's|^#data_dir = .*|data_dir = "/var/lib/packagist-selfhosted"|' "$source/config.example.toml" >"$tree/etc/$name/config.toml"
grep -q '^data_dir = "/var/lib/packagist-selfhosted"$' "$tree/etc/$name/config.toml"
chmod 0640 "$tree/etc/$name/config.toml"

mkdir -p "$tree/usr/share/man/man1" "$tree/usr/share/bash-completion/completions" \
    "$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/fish/vendor_completions.d"
"$binary" man | gzip -9n >"$tree/usr/share/man/man1/$name.1.gz"
"$binary" completions bash >"$tree/usr/share/bash-completion/completions/$name"
"$binary" completions zsh >"$tree/usr/share/zsh/vendor-completions/_$name"
"$binary" completions fish >"$tree/usr/share/fish/vendor_completions.d/$name.fish"

mkdir -p "$tree/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
    "$source/packaging/deb/control.in" >"$tree/DEBIAN/control"
echo "/etc/$name/config.toml" >"$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 0755 "$source/packaging/deb/$script" "$tree/DEBIAN/$script"
done

mkdir -p "$output"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$output/${name}_${version}_${architecture}.deb"
