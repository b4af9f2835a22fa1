# Installs the procline package on a machine and enables its timers, as root. It installs nothing if the checksum differs.
# install.bicep replaces the two words in capitals and runs it. cloud-init.yml has the same commands for new machines.
set -eu
url='PACKAGE_URL'
sha256='PACKAGE_SHA256'
folder=$(mktemp -d)
package="$folder/${url##*/}"
curl --fail --silent --show-error --location --retry 5 --output "$package" "$url"
echo "$sha256  $package" | sha256sum --check --quiet
case "$package" in
    *.deb) apt-get install --yes -o DPkg::Lock::Timeout=300 "$package" ;;
    *) if command -v dnf >/dev/null; then
           dnf install --assumeyes "$package"
       else
           zypper --non-interactive install --allow-unsigned-rpm "$package"
       fi ;;
esac
rm -r "$folder"
systemctl enable --now procline.timer procline-host.timer
