#!/bin/sh
# Installs what some tests run beside Python, where it may: as root, with apt.
#   OpenSM and ibsim   a real subnet manager over a simulated fabric (tests/fabric/studies/test_opensm.py)
#   chromium           a real browser, for pages of reports (tests/fabric/reports/test_html_browser.py)
packages=
have() { PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null; }

for tool in opensm ibsim ibnetdiscover; do
    have "$tool" || packages="opensm ibsim-utils infiniband-diags"
done
have chromium || packages="$packages chromium"
[ -z "$packages" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # one word a package
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages >/dev/null && exit 0
fi
echo "not installed, and some tests need it: apt-get install$(echo " $packages" | tr -s ' ') (as root)" >&2
# On CI a missing tool fails the tests that need it; elsewhere they are skipped.
exit 0
