#!/usr/bin/env bash
# Replaces the vendored layout library with a release from the npm registry: update.sh VERSION
# With --check instead of a version, only compares the vendored files with the release that they came from.
set -euo pipefail
cd "$(dirname "$0")/dagre"

package="@dagrejs/dagre"
recorded="$(sed -n 's/^version: //p' VERSION 2>/dev/null || true)"
version="${1:?usage: update.sh VERSION, or update.sh --check}"
if [ "$version" = --check ]; then
    version="${recorded:?no version in VERSION}"
    check=true
else
    check=false
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
# The registry says what the archive must hash to; npm refuses another one, and so does the comparison below, which does
# not depend on the cache of npm.
integrity="$(npm view "$package@$version" dist.integrity)"
archive="$folder/$(cd "$folder" && npm pack --silent "$package@$version")"
actual="sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w0)"
if [ "$actual" != "$integrity" ]; then
    echo "the archive of $package@$version has the hash $actual, and the registry says $integrity" >&2
    exit 1
fi
tar -xzf "$archive" -C "$folder"
cat >"$folder/VERSION" <<EOF
package: $package
version: $version
integrity: $integrity
EOF

# The policy of the page forbids code from text, and the last two would end the script that the library is written into.
if grep -nE 'new Function|Function\(|[^.a-zA-Z]eval\(|</script|<!--' "$folder/package/dist/dagre.min.js"; then
    echo "$package@$version cannot be inlined in a page with a strict Content-Security-Policy" >&2
    exit 1
fi

if $check; then
    cmp "$folder/package/dist/dagre.min.js" dagre.min.js
    cmp "$folder/package/LICENSE" LICENSE
    cmp "$folder/VERSION" VERSION
    echo "the vendored files are those of $package@$version"
else
    cp "$folder/package/dist/dagre.min.js" "$folder/package/LICENSE" "$folder/VERSION" .
    echo "replaced $package ${recorded:-(none)} by $version"
fi
