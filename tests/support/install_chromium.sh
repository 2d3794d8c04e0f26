#!/bin/sh
# Installs Debian's chromium for the tests of the page, where there is none and it can be installed: the one that is made
# for tests, which takes half of the other's time. Never fails: without a browser those tests are skipped and say why.
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
  echo "No chromium, and no apt-get to install it with: the tests of the page will be skipped."
  exit 0
fi
if [ "$(id -u)" = 0 ]; then root=""; else root="sudo -n"; fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing chromium for the tests of the page ..."
install() { $root apt-get install -qy --no-install-recommends "$1"; }
if ! said=$({ $root apt-get update -q && { install chromium-headless-shell || install chromium; }; } 2>&1 </dev/null); then
  echo "chromium cannot be installed, so the tests of the page will be skipped: $(echo "$said" | tail -n 1)"
fi
exit 0
