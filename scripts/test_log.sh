#!/bin/bash
# Tests of `liger log`. The logs and checkpoints that it reads are made here by a few lines of Python, from docs/log-format.md alone: so the
# document is tested too. LIGER names the program (default build/liger).
set -uo pipefail

liger=${LIGER:-build/liger}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/claims.sh
. "$(dirname "$0")/claims.sh"

cat >"$work/crc.py" <<'PY'
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
PY

cat >"$work/segments.py" <<'PY'
import struct
from crc import crc32c

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
PY

# make.py DIR HOST COOKIE: two segments of 16 KiB in DIR/host-NN. Batch 3 is in both. The last batch has no epoch.
cat >"$work/make.py" <<'PY'
import os, sys
from segments import entry, segment

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
gives "dump prints an entry with its place" 0 "batch 1 epoch 10 at 4176: redo \(1\), flags 7, 100 bytes: not a redo record: 000102" log dump "$work/data"
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
# bodies.py DIR: one segment of host 1, with an entry of each known type and with some whose bodies contradict themselves.
cat >"$work/bodies.py" <<'PY'
import os, struct, sys
from crc import crc32c
from segments import entry, segment

def pad(data):
    return data + bytes(-len(data) % 8)

def table(number, by, prefix, partitions, name, splits=()):
    return struct.pack("<IIII64s", number, by, prefix, partitions, name) + b"".join(struct.pack("<Q", s) for s in splits)

def member(host, change, incarnation):
    return struct.pack("<IIQ", host, change, incarnation)

def owners(*hosts):
    return pad(struct.pack("<II", len(hosts), 0) + bytes(hosts))

def write(number, kind, partition, key, ranges, value_bytes, data, place=b""):
    head = struct.pack("<BBHHHII", number, kind, len(key), partition, ranges, value_bytes, len(data))
    return head + place + pad(key) + pad(data)

def redo(version, incarnation, host, writes):
    body = b"".join(writes)
    head = lambda crc: struct.pack("<QIIIHBB", version, 24 + len(body), crc, incarnation, len(writes), host, 1)
    return head(crc32c(head(0) + body)) + body

put = write(3, 1, 5, b"warehouse-7", 0, 9, b"the value")
changed = struct.pack("<HH", 2, 3) + b"abc" + struct.pack("<HH", 90, 1) + b"d"
patch = write(4, 0x82, 6, bytes([0, 1, 254]), 2, 100, changed, struct.pack("<QIHH", 1 << 20, 77, 3, 0))
record = redo(12 << 17 | 9, 2, 1, [put, patch, write(255, 3, 4095, b'a"b', 0, 0, b"")])
torn = redo(12 << 17 | 9, 2, 1, [write(4, 2, 6, b"key", 1, 4, struct.pack("<HH", 2, 3) + b"abc")])
bodies = [
    (2, 1, table(3, 1, 0, 4, b"orders", (10, 20, 2**64 - 1))), (2, 0, table(4, 0, 8, 16, b"stock")), (2, 0, table(5, 2, 0, 0, b"it\nem")),
    (3, 0, member(1, 1, 2)), (3, 0, member(63, 3, 9)), (4, 0, owners(0, 0, 0, 1, 0, 5, 5)), (1, 0, record),
    (2, 0, table(6, 1, 0, 4, b"short", (10, 20))), (3, 0, member(64, 1, 1)), (4, 0, owners(0, 64)), (4, 0, owners(0, 1)[:8]),
    (1, 0, record[:-1] + b"?"), (1, 0, torn),
]
folder = f"{sys.argv[1]}/host-01"
os.makedirs(folder)
segment(folder, 1, 0xABC, 1, 1, 0, [(1, 10, [entry(*body) for body in bodies])])
PY
claim "a log with every type of entry is made from the document" python3 "$work/bodies.py" "$work/bodies"
dump_has() {
	gives "dump prints $1" 0 "$2" log dump "$work/bodies"
}
dump_has "a table by range" ': table \(2\), flags 1, 104 bytes: table 3 "orders" by range, partitions 4, splits 10 20 18446744073709551615, loaded and sealed$'
dump_has "a table by hash" 'table 4 "stock" by hash of 8 bytes, partitions 16$'
dump_has "a replicated table, its odd name in hexadecimal" 'table 5 69740a656d, replicated$'
dump_has "a host that joined" ': member \(3\), flags 0, 16 bytes: host 1 joined, incarnation 2$'
dump_has "a host that died" 'host 63 died, incarnation 9$'
dump_has "a partition map" ': owners \(4\), flags 0, 16 bytes: partitions 7: 0 to 2 of host 0, 3 of host 1, 4 of host 0, 5 to 6 of host 5$'
dump_has "a redo record" ': redo \(1\), flags 0, [0-9]+ bytes: version 12:9 of host 1, incarnation 2, writes 3;'
dump_has "its put" '; table 3 partition 5 put "warehouse-7" 9 bytes;'
dump_has "its patch of a shared row" '; table 4 partition 6 patch 0001fe of 100 bytes in 2 ranges, shared;'
dump_has "its delete" '; table 255 partition 4095 delete 612262$'
dump_has "a table without one of its splits as bytes" 'not the definition of a table: 06000000'
dump_has "a member beyond the greatest host as bytes" 'not a change of membership: 40000000'
dump_has "an owner beyond the greatest host as bytes" 'owners \(4\), flags 0, 16 bytes: not a partition map: 02000000'
dump_has "a partition map that is cut as bytes" 'owners \(4\), flags 0, 8 bytes: not a partition map: 02000000'
dump_has "a redo record with another checksum as bytes" 'redo \(1\), flags 0, 152 bytes: not a redo record'
dump_has "a redo record with a range beyond its value as bytes" 'redo \(1\), flags 0, 56 bytes: not a redo record'
"$liger" log dump "$work/bodies" --json - >"$work/bodies.json"
cat >"$work/check_bodies.py" <<'PY'
import json, sys
entries = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] == "entry"]
assert len(entries) == 13 and [e["type"] for e in entries[:7]] == ["table"] * 3 + ["member"] * 2 + ["owners", "redo"], entries
assert entries[0]["text"].startswith('table 3 "orders" by range') and len(bytes.fromhex(entries[0]["body"])) == 104, entries[0]
PY
claim "dump --json has bytes and text" python3 "$work/check_bodies.py" "$work/bodies.json"

claim "dump --json FILE succeeds" "$liger" log dump "$work/data" --json "$work/dump.json"
claim "and each line is JSON with the log's content" python3 "$work/check.py" "$work/dump.json"
"$liger" log dump "$work/data" --json - >"$work/stdout.json"
claim "dump --json - prints the same" cmp "$work/dump.json" "$work/stdout.json"
gives "dump --json into a missing folder names it" 1 "$work/none/x" log dump "$work/data" --json "$work/none/x"
claim "output that cannot be written is a failure" bash -c "! '$liger' log dump '$work/data' >/dev/full"

# ---- Checkpoints ----

# checkpoint.py DIR HOST COOKIE SEQUENCE: a table and a row, then a row in a block of its own. zstd's frames hold their content
# as it is, which needs no library.
cat >"$work/checkpoint.py" <<'PY'
import os, struct, sys
from crc import crc32c

def entry(kind, body):
    return struct.pack("<IHH", len(body), kind, 0) + body + bytes(-len(body) % 8)

def row(table, flags, partition, version, key, value):
    return entry(2, struct.pack("<HHIQII", table, flags, partition, version, len(key), len(value)) + key + value)

def frame(content):
    return struct.pack("<IBI", 0xFD2FB528, 0xA0, len(content)) + (len(content) << 3 | 1).to_bytes(3, "little") + content

def block(number, entries, seed):
    raw = b"".join(entries)
    stored = frame(raw)
    seed = crc32c(struct.pack("<Q", number), seed)
    rest = struct.pack("<QIIII", number, len(raw), len(stored), len(entries), crc32c(stored, seed))
    return struct.pack("<II", 0x4243474C, crc32c(rest, seed)) + rest, stored

folder, host, cookie, sequence = sys.argv[1], int(sys.argv[2]), int(sys.argv[3], 16), int(sys.argv[4])
salt = 4711
head = struct.pack("<QIIQQQQQI", 0x3130504B4352474C, 1, host, cookie, 1, sequence, salt, 11, 0)
data = head + struct.pack("<I", crc32c(head))
seed = crc32c(struct.pack("<QQ", salt, sequence))
contents = [[entry(1, b"table"), row(3, 7, 5, 12 << 17 | 4, b"key", b"value")], [row(4, 0, 6, 9 << 17, b"", bytes(range(100)))]]
blocks = [block(number, entries, seed) for number, entries in enumerate(contents)]
data += b"".join(header + stored for header, stored in blocks)
raw = sum(len(b"".join(entries)) for entries in contents)
headers = b"".join(header for header, stored in blocks)
foot = struct.pack("<QQQQQQQI", 0x444E454B4352474C, 1, 2, raw, 2, len(data) + 64, 12, crc32c(headers))
data += foot + struct.pack("<I", crc32c(foot, seed))
os.makedirs(f"{folder}/host-{host:02}", exist_ok=True)
open(f"{folder}/host-{host:02}/{sequence:016}.ckpt", "wb").write(data)
PY

claim "checkpoints are made from the document" bash -c \
	"python3 '$work/checkpoint.py' '$work/data' 5 abc 2 && python3 '$work/checkpoint.py' '$work/alone' 9 abc 7"
echo noise >"$work/data/host-05/checkpoint.tmp"
echo noise >"$work/data/host-05/0000000000000001.ckpt"
gives "verify accepts them" 0 "host-05/0000000000000002.ckpt: pod 0000000000000abc, host 5, incarnation 1$" log verify "$work/data"
gives "it counts tables, rows and blocks" 0 "checkpoint 2: tables 1, rows 2, 192 bytes in 2 blocks, file of" log verify "$work/data"
gives "it tells the epochs" 0 "no row is of an epoch after 12; the log is needed from epoch 11 on" log verify "$work/data"
gives "a checkpoint without a log will do" 0 "checkpoint 7" log verify "$work/alone/host-09"
gives "dump prints a table" 0 "^  block 0 at 0: table, 5 bytes: 7461626c65$" log dump "$work/data"
gives "dump prints a row" 0 \
	"block 0 at 16: row of table 3, partition 5, flags 7, version 1572868 of epoch 12, key of 3 bytes: 6b6579, value of 5 bytes" \
	log dump "$work/data"
gives "a long value is cut" 0 "block 1 at 0: row of table 4, .* key of 0 bytes: , value of 100 bytes: 000102.*17\.\.\.$" log dump "$work/alone"
"$liger" log dump "$work/alone" --json - >"$work/checkpoint.json"
cat >"$work/check.py" <<'PY'
import json, sys
lines = [line for line in map(json.loads, open(sys.argv[1])) if line["kind"] != "log"]
assert [line["kind"] for line in lines] == ["table", "row", "row", "checkpoint"], lines
assert bytes.fromhex(lines[1]["key"]) == b"key" and lines[1]["epoch"] == 12 and lines[1]["flags"] == 7, lines
assert bytes.fromhex(lines[2]["value"]) == bytes(range(100)), lines
assert lines[3]["sequence"] == 7 and lines[3]["rows"] == 2 and lines[3]["first_epoch"] == 11, lines
PY
claim "dump --json has the content of a checkpoint" python3 "$work/check.py" "$work/checkpoint.json"
python3 "$work/checkpoint.py" "$work/other" 1 abc 1
python3 "$work/checkpoint.py" "$work/other" 2 def 1
gives "a checkpoint of another pod is named" 1 "host-02/0000000000000001.ckpt belongs to pod 0000000000000def" log verify "$work/other"

# manifest.py DIR COOKIE: DIR/pod, of a pod in its third life.
cat >"$work/manifest.py" <<'PY'
import struct, sys
from crc import crc32c

data = struct.pack("<QIIQQQIIIIIIQQ", 0x314D444F5052474C, 2, 2, int(sys.argv[2], 16), 1 << 26, 1 << 30, 64, 10, 2, 16, 1 << 19, 2, 3, 3)
data += struct.pack("<6Q", 10, 13, 2, 20, 22, 3)
data += bytes(3920 - len(data)) + b"shm:mypod".ljust(172, b"\0")
open(f"{sys.argv[1]}/pod", "wb").write(data + struct.pack("<I", crc32c(data)))
PY
claim "a manifest is made from the document" python3 "$work/manifest.py" "$work/data" abc
gives "verify reads it" 0 "data/pod: pod 0000000000000abc, life 3, in shm:mypod$" log verify "$work/data"
gives "and the logs with it" 0 "host-05: pod 0000000000000abc" log verify "$work/data"
cp "$work/data/pod" "$work/pod"
printf x | dd of="$work/data/pod" bs=1 seek=3925 conv=notrunc status=none
gives "a damaged manifest is named with its offset" 1 "data/pod: offset 4092: checksum" log verify "$work/data"
gives "the logs are read all the same" 1 "host-05: pod 0000000000000abc" log verify "$work/data"
cp "$work/pod" "$work/data/pod"

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
damage "$work/data/host-05/0000000000000002.ckpt" 120
gives "a damaged checkpoint is named with its offset" 1 "0000000000000002.ckpt, offset 64: the block is damaged" log verify "$work/data"
truncate -s -1 "$work/alone/host-09/0000000000000007.ckpt"
gives "one that was cut is named" 1 "0000000000000007.ckpt, offset [0-9]+: this is not the footer" log verify "$work/alone"
rm "$first"
python3 "$work/make.py" "$work/data" 7 def
gives "a log of another pod is named" 1 "host-07/0000000000000001.log belongs to pod 0000000000000def" log verify "$work/data"
damage "$second" 100
gives "a damaged header is named" 1 "$second, offset 0: the segment's header is damaged" log verify "$work/data/host-00"

exit $failed
