#!/bin/bash
# Tests of `liger log`. The logs that it reads are made here by a few lines of Python, from docs/log-format.md alone: so the
# document is tested too. LIGER names the program (default build/liger).
set -uo pipefail

liger=${LIGER:-build/liger}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

# make.py DIR HOST COOKIE: two segments of 16 KiB in DIR/host-NN. Batch 3 is in both. The last batch has no epoch.
cat >"$work/make.py" <<'PY'
import os, struct, sys

table = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    table.append(n)

def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF

def entry(kind, flags, body):
    return struct.pack("<IHH", len(body), kind, flags) + body + bytes(-len(body) % 8)

def batch(number, epoch, entries, salt, sequence):
    payload = b"".join(entries)
    rest = struct.pack("<QIIQQI20x", number, len(payload), len(entries), epoch, 1, crc32c(payload))
    seed = crc32c(struct.pack("<QQ", salt, sequence))
    data = struct.pack("<II", 0x4842474C, crc32c(rest, seed)) + rest + payload
    return data + bytes(-len(data) % 4096)

def segment(folder, host, cookie, sequence, first, epoch_before, batches):
    salt = 1000 + sequence
    head = struct.pack("<QIIQQQQQQQII", 0x3130474F4C52474C, 1, host, cookie, 1, sequence, salt, 16384, first, epoch_before, 0, 0)
    head += bytes(4092 - len(head))
    data = head + struct.pack("<I", crc32c(head)) + b"".join(batch(*b, salt, sequence) for b in batches)
    with open(f"{folder}/{sequence:016}.log", "wb") as file:
        file.write(data + bytes(16384 - len(data)))

host, cookie = int(sys.argv[2]), int(sys.argv[3], 16)
folder = f"{sys.argv[1]}/host-{host:02}"
os.makedirs(folder)
third = (3, 12, [entry(1, 0, b"third")])
segment(folder, host, cookie, 1, 1, 0, [(1, 10, [entry(2, 0, b"table"), entry(1, 7, bytes(range(100)))]), (2, 11, []), third])
segment(folder, host, cookie, 2, 3, 11, [third, (4, 0, [entry(3, 0, b"member"), entry(77, 0, b"")])])
PY

for command in log "log dump" "log verify"; do
	# shellcheck disable=SC2086 # the words of a command are arguments
	gives "$command has --help" 0 "^usage: liger log" $command --help
done
gives "log needs a verb" 2 "dump or verify" log
gives "an unknown verb is named" 2 "'dmup'" log dmup
gives "dump needs a directory" 2 "which directory" log dump
gives "verify needs a directory" 2 "which directory" log verify
gives "a second directory is refused" 2 "'b'" log verify a b
gives "an unknown option is named" 2 "'--jsn'" log dump a --jsn x
gives "--json needs a file" 2 "--json needs a value" log dump a --json

mkdir "$work/data"
gives "a directory without logs is named" 1 "no log in $work/data" log verify "$work/data"
gives "a directory that is not there is named" 1 "$work/none" log verify "$work/none"

claim "two hosts' logs are made from the document" bash -c "python3 '$work/make.py' '$work/data' 0 abc && python3 '$work/make.py' '$work/data' 5 abc"
gives "verify accepts them" 0 "host-05: pod 0000000000000abc, host 5, incarnation 1$" log verify "$work/data"
gives "it counts batches, entries and copies" 0 "segments 2, batches 4, entries 5 of 116 bytes, copies 1" log verify "$work/data"
gives "it tells the complete epochs" 0 "epochs 1 to 12 are complete, entries of a later one follow" log verify "$work/data"
gives "one host's folder will do" 0 "host-05: pod" log verify "$work/data/host-05"
gives "dump prints an entry with its place" 0 "batch 1 epoch 10 at 4176: redo \(1\), flags 7, 100 bytes: 000102" log dump "$work/data"
gives "an entry of no complete epoch has none" 0 "^  batch 4 at [0-9]+: member \(3\)" log dump "$work/data"
gives "an unknown type is printed by its number" 0 "unknown \(77\), flags 0, 0 bytes" log dump "$work/data"

cat >"$work/check.py" <<'PY'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
entries = [line for line in lines if line["kind"] == "entry"]
logs = [line for line in lines if line["kind"] == "log"]
assert len(entries) == 10 and len(logs) == 2, lines
assert [e["batch"] for e in entries[:5]] == [1, 1, 3, 4, 4], entries
assert bytes.fromhex(entries[1]["body"]) == bytes(range(100)), entries[1]
assert entries[3]["epoch"] is None and entries[2]["epoch"] == 12, entries
assert logs[1]["host"] == 5 and logs[1]["cookie"] == "0000000000000abc" and logs[1]["cut"] is None, logs
PY
claim "dump --json FILE succeeds" "$liger" log dump "$work/data" --json "$work/dump.json"
claim "and each line is JSON with the log's content" python3 "$work/check.py" "$work/dump.json"
"$liger" log dump "$work/data" --json - >"$work/stdout.json"
claim "dump --json - prints the same" cmp "$work/dump.json" "$work/stdout.json"
gives "dump --json into a missing folder names it" 1 "$work/none/x" log dump "$work/data" --json "$work/none/x"
claim "output that cannot be written is a failure" bash -c "! '$liger' log dump '$work/data' >/dev/full"

# ---- Damage ----
first=$work/data/host-00/0000000000000001.log
second=$work/data/host-00/0000000000000002.log
# damage FILE OFFSET: one byte.
damage() {
	printf '\377' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
damage "$second" 8260
gives "a torn last batch is cut and told" 0 "cut: batch 4 was not finished: $second, offset 8192, 4096 bytes" log verify "$work/data"
damage "$second" 4160
gives "a damaged batch is named when the one behind it is torn" 1 "$second, offset 4096: batch 3 is damaged, and batch 4 follows" log verify "$work/data"
damage "$first" 4200
gives "damage with batches behind it names file and offset" 1 "$first, offset 4096: batch 1 is damaged, and batch 2 follows" log verify "$work/data"
gives "the other host's log is read all the same" 1 "host-05: pod" log verify "$work/data"
gives "dump fails too" 1 "$first, offset 4096" log dump "$work/data"
rm "$first"
python3 "$work/make.py" "$work/data" 7 def
gives "a log of another pod is named" 1 "host-07/0000000000000001.log belongs to pod 0000000000000def" log verify "$work/data"
damage "$second" 100
gives "a damaged header is named" 1 "$second, offset 0: the segment's header is damaged" log verify "$work/data/host-00"

exit $failed
