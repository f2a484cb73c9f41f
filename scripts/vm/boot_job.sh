# shellcheck shell=dash
# Nothing: that a guest comes so far is what is asked (vmpod.sh: does KVM work?).
